"""What Gemini CLI writes and how it is taken: messages written again, patches, subagents, endings."""

import json
from datetime import UTC, datetime

import pytest
from support.recordings import collect_from, encoded
from support.transcripts import START, events_of

from mosaic_telemetry.pricing import TokenUsage


def at(seconds):
    return datetime.fromtimestamp(START / 1000 + seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user(name, seconds, text="Fix the bug"):
    return {"id": name, "timestamp": at(seconds), "type": "user", "content": [{"text": text}]}


def answer(name, seconds, tools=(), **tokens):
    counts = {"input": 1000, "output": 50, "cached": 400, "thoughts": 10, "tool": 0, "total": 1060} | tokens
    return {
        "id": name,
        "timestamp": at(seconds),
        "type": "gemini",
        "content": "",
        "tokens": counts,
        "model": "gemini-2.5-pro",
        **({"toolCalls": list(tools)} if tools else {}),
    }


def shell(name, seconds, command, output, status="success"):
    result = [{"functionResponse": {"id": name, "response": {"output": output}}}]
    return {"id": name, "name": "run_shell_command", "args": {"command": command}, "status": status, "timestamp": at(seconds), "result": result}


HEAD = {"sessionId": "s1", "startTime": at(0), "kind": "main"}


def write(folder, *records, name="session-1.jsonl"):
    path = folder / "tmp" / "project" / "chats" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_the_last_record_of_a_message_counts(tmp_path):
    write(tmp_path, HEAD, user("u", 1), answer("a", 3, input=1), answer("a", 3, [shell("t", 4, "pytest", "Output: 1 passed in 0.1s")]), answer("b", 6))
    (task,) = collect_from("gemini", tmp_path).tasks
    assert task.usage == TokenUsage(uncached_input=1200, cache_read=800, output=120)
    assert task.active_ms == 5000


def test_what_a_patch_takes_out_of_the_chat_was_used_all_the_same(tmp_path):
    write(tmp_path, HEAD, user("u", 1), answer("a", 3), answer("b", 6), {"$set": {"messages": [user("u", 1), answer("c", 9)]}})
    assert len(collect_from("gemini", tmp_path).tasks[0].calls) == 3


def test_a_resumed_chat_repeats_its_history_without_tokens_and_with_new_times(tmp_path):
    first = (HEAD, user("u", 1), answer("a", 3, [shell("t", 4, "pytest", "Output: 1 passed in 0.1s")]), answer("b", 6))
    write(tmp_path, *first)
    (alone,) = encoded(collect_from("gemini", tmp_path))
    said = [{"id": name, "timestamp": at(900), "type": "gemini", "content": [{"text": ""}]} for name in "ab"]
    history = [user("u", 900), said[0], {"id": "a_response", **user("a", 900), "content": [{"functionResponse": {"id": "t"}}]}, said[1]]
    write(tmp_path, *first, HEAD, {"$set": {"messages": history}}, user("v", 901, "Add docs"), answer("c", 903))
    write(tmp_path, HEAD, {"$set": {"messages": history}}, name="session-2.jsonl")
    resumed, rest = encoded(collect_from("gemini", tmp_path))
    assert resumed == alone
    assert json.loads(rest)["actual_input_tokens"] == 1000


def test_the_old_document_and_the_new_lines_of_one_chat_are_one(tmp_path):
    messages = [user("u", 1), answer("a", 3), answer("b", 6)]
    write(tmp_path, HEAD, *messages)
    alone = encoded(collect_from("gemini", tmp_path))
    (tmp_path / "tmp/project/chats/session-0.json").write_text(json.dumps({**HEAD, "messages": messages}))
    assert encoded(collect_from("gemini", tmp_path)) == alone


@pytest.mark.parametrize(
    ("output", "status", "verdict"),
    [
        ("Output: (empty)\nProcess Group PGID: 1", "success", True),
        ("<untrusted_context>\nOutput: x\nExit Code: 2\nProcess Group PGID: 1", "success", False),
        ("Command: x\nOutput: (empty)\nError: (none)\nExit Code: 0\nSignal: 0", "success", True),
        ("Command: x\nOutput: (empty)\nError: (none)\nExit Code: (none)\nSignal: 9", "success", None),
        ("Output: x\nSignal: SIGKILL", "success", None),
        ("Command rejected because it could not be parsed safely", "error", None),
    ],
)
def test_the_exit_status_of_a_command(tmp_path, output, status, verdict):
    write(tmp_path, HEAD, user("u", 1), answer("a", 3, [shell("t", 4, "ruff check .", output, status)]), answer("b", 6))
    (task,) = collect_from("gemini", tmp_path).tasks
    assert list(task.gates.values()) == ([] if verdict is None else [verdict])


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ({"type": "error", "content": "[API Error: fetch failed]"}, "failure"),
        ({"type": "error", "content": "You have exhausted your daily quota"}, "timeout"),
        ({"type": "info", "content": "Request cancelled."}, "partial"),
        ({"type": "info", "content": "Update available"}, "success"),
    ],
)
def test_how_a_task_ended(tmp_path, message, outcome):
    write(tmp_path, HEAD, user("u", 1), answer("a", 3), {"id": "m", "timestamp": at(4), **message})
    assert [event["outcome"] for event in events_of(collect_from("gemini", tmp_path))] == [outcome]


def test_a_subagents_chat_belongs_to_its_parents_task(tmp_path):
    write(tmp_path, HEAD, user("u", 1), answer("a", 3), answer("b", 20), user("v", 100), answer("c", 110))
    child = {"sessionId": "c1", "kind": "subagent"}
    write(tmp_path, child, user("w", 5, "Look"), answer("d", 8, cached=0), name="s1/session-c1.jsonl")
    tasks = collect_from("gemini", tmp_path).tasks
    assert [len(task.calls) for task in tasks] == [3, 1]
    assert sum(call.subagent for call in tasks[0].calls) == 1


def test_a_task_waits_for_the_next_prompt_or_an_hour(tmp_path):
    write(tmp_path, HEAD, user("u", 1), answer("a", 3), user("v", 50, "Add docs"), answer("b", 60))
    collection = collect_from("gemini", tmp_path, now_ms=START + 70_000)
    assert (len(collection.tasks), collection.running) == (1, 1)


def test_settings_and_prompt_logs_are_no_chats(tmp_path):
    write(tmp_path, HEAD, user("u", 1), answer("a", 3))
    for name in ("settings.json", "tmp/project/logs.json"):
        (tmp_path / name).write_text('[{"message": "what I typed"}]')
    assert collect_from("gemini", tmp_path).files == 1


def info(seconds, text, kind="info"):
    return {"id": f"i{seconds}", "timestamp": at(seconds), "type": kind, "content": text}


WORD = {**answer("b", 60), "content": "Done."}
TOOL = shell("t", 60, "ls", "Output: a")


@pytest.mark.parametrize(
    ("last", "minutes"),
    [
        ([WORD], 15),
        ([{**WORD, "content": [{"text": "Done."}]}], 15),
        ([{**WORD, "content": ""}], 60),
        ([{**WORD, "content": [{"text": " "}]}], 60),
        ([WORD, {**WORD, "toolCalls": [TOOL]}], 60),
        ([{**WORD, "toolCalls": [TOOL]}, {**user("f", 60), "content": [{"functionResponse": {"id": "t"}}]}], 60),
        ([WORD, {**user("f", 60), "content": [{"functionResponse": {"id": "t"}}]}], 60),
        ([info(60, "[API Error: 500]", "error")], 15),
        ([info(60, "Request cancelled.")], 15),
        ([info(60, "Press Ctrl+C again to exit.")], 60),
        ([WORD, info(60, "Update available")], 15),
    ],
)
def test_the_last_task_is_finished_sooner_where_its_end_looks_like_one(tmp_path, last, minutes):
    write(tmp_path, HEAD, user("u", 1), answer("a", 3), *last)
    due = START + (60 if last[-1] != info(60, "Press Ctrl+C again to exit.") else 3) * 1000 + minutes * 60_000
    before, then = collect_from("gemini", tmp_path, now_ms=due - 1), collect_from("gemini", tmp_path, now_ms=due)
    assert (len(before.tasks), [waiting.due_ms for waiting in before.waiting]) == (0, [due])
    (task,) = then.tasks
    assert ("quarter" in task.evidence["task"].rule) is (minutes == 15)
