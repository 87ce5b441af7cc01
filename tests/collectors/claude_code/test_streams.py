"""What `claude -p --output-format stream-json` prints, and what is made of it."""

import json
import os
import shutil

import pytest
from support.recordings import collect_from
from support.transcripts import START, events_of, test_data

VERSION = ("harness_runs", "claude-code-2.1.197")
SAME = ("actual_input_tokens", "actual_output_tokens", "actual_cost_usd_micros", "model", "provider", "complexity", "outcome", "language")
GATES = ("quality_gates_run", "quality_gates_failed", "context_utilization_final")


def said(events):
    return [{name: event[name] for name in (*SAME, *GATES)} for event in events]


def answer(name, read=10, *, above=None, tools=(), at=None, session="s-1"):
    usage = {"input_tokens": read, "output_tokens": 1, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 0}
    message = {"id": name, "model": "claude-sonnet-4-5", "usage": usage, "content": list(tools), "stop_reason": None}
    return {
        "type": "assistant",
        "session_id": session,
        "uuid": f"u-{name}",
        "parent_tool_use_id": above,
        "message": message,
        **({"timestamp": at} if at else {}),
    }


def result(written, calls=1, read=10, number=1, **more):
    usage = {"inputTokens": read, "outputTokens": written, "cacheReadInputTokens": 100 * calls, "cacheCreationInputTokens": 0}
    found = {"type": "result", "subtype": "success", "is_error": False, "duration_ms": 2500, "session_id": "s-1", "uuid": f"r-{number}"}
    return found | {"modelUsage": {"claude-sonnet-4-5": usage}} | more


INIT = {"type": "system", "subtype": "init", "cwd": "/tmp", "session_id": "s-1", "claude_code_version": "2.1.197"}


def stream(folder, *records, name="stream.jsonl"):
    path = folder / name
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    os.utime(path, (START / 1000, START / 1000))
    return collect_from("claude-code", folder)


def tokens(collection):
    return [(task.usage.input, task.usage.output) for task in collection.tasks]


def test_recorded_streams_tell_the_same_tasks_as_the_recorded_log(tmp_path):
    log = collect_from("claude-code", test_data(*VERSION, "projects"))
    shutil.copytree(test_data(*VERSION, "stream-json"), tmp_path / "streams")
    streamed = collect_from("claude-code", tmp_path)
    assert said(events_of(streamed)) == said(events_of(log))
    assert all(abs(one.active_ms - other.active_ms) < 200 for one, other in zip(streamed.tasks, log.tasks, strict=True))
    assert not any(task.unreliable for task in streamed.tasks)
    shutil.copytree(test_data(*VERSION, "projects"), tmp_path / "projects" / "log")
    (tmp_path / "streams").rename(tmp_path / "projects" / "streams")
    assert events_of(collect_from("claude-code", tmp_path)) == events_of(log)


def test_a_copy_and_an_earlier_state_of_a_stream_report_nothing_twice(tmp_path):
    whole = [INIT, answer("a"), answer("b"), result(50, 2, 20)]
    alone = events_of(stream(tmp_path, *whole))
    stream(tmp_path, *whole, name="copy.jsonl")
    assert events_of(stream(tmp_path, *whole[:2], name="earlier.jsonl")) == alone
    assert [event["actual_output_tokens"] for event in alone] == [50]


def test_a_stream_that_was_cut_off_has_no_reliable_output(tmp_path):
    (task,) = stream(tmp_path, INIT, answer("a"), answer("b")).tasks
    assert task.unreliable
    assert task.usage.input == 220


def test_what_is_left_to_the_totals_counts_and_damage_is_told(tmp_path):
    agent = {"type": "user", "session_id": "s-1", "message": {"content": [{"type": "tool_result", "tool_use_id": "t"}]}, "timestamp": "2026-03-01T09:00:00Z"}
    last = {"input_tokens": 5, "output_tokens": 9, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 0}
    agent["tool_use_result"] = {"agentId": "x", "usage": last}
    collection = stream(tmp_path, INIT, answer("a"), answer("b", above="t"), agent, answer("c"), result(60, 4, 35))
    assert tokens(collection) == [(435, 60)]
    (task,) = collection.tasks
    assert [(call.usage.input, call.subagent) for call in task.calls if call.usage.output == 9] == [(105, True)]
    assert not task.unreliable
    (other,) = stream(tmp_path, INIT, answer("a"), result(60, 3, 35)).tasks
    assert (other.usage.input, other.usage.output, other.unreliable) == (335, 60, False)
    for broken in (result(60, 0), result("many"), result(-1)):
        (task,) = stream(tmp_path, INIT, answer("a"), broken).tasks
        assert task.unreliable


def test_several_prompts_in_one_stream_are_several_tasks(tmp_path):
    records = [INIT, answer("a"), result(50), INIT, answer("b"), result(70, 2, 20, number=2)]
    assert tokens(stream(tmp_path, *records)) == [(110, 50), (110, 20)]  # its totals add up


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({}, "success"),
        ({"subtype": "error_max_turns", "is_error": True}, "timeout"),
        ({"subtype": "error_max_budget_usd", "is_error": True}, "timeout"),
        ({"subtype": "error_during_execution", "is_error": True}, "failure"),
        ({"is_error": True, "result": "API Error: 500"}, "failure"),
    ],
)
def test_how_it_ended(tmp_path, more, outcome):
    (event,) = events_of(stream(tmp_path, INIT, answer("a"), result(50, **more)))
    assert event["outcome"] == outcome
    assert (event["task_duration_ms"], event["timestamp"][:19]) == (2500, "2026-03-01T09:00:00")


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, True])
def test_any_field_may_hold_anything(tmp_path, odd):
    whole = [INIT, answer("a", tools=[{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "pytest"}}]), result(50)]
    for place, record in enumerate(whole):
        for name in record:
            changed = [*whole[:place], {**record, name: odd}, *whole[place + 1 :]]
            assert all(output <= 50 for _, output in tokens(stream(tmp_path, *changed)))
