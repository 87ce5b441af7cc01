"""What Codex writes and how it is taken: totals said twice, forks, subagents, endings, commands that run on."""

import json
from datetime import UTC, datetime

import pytest
from support.recordings import NOW, collect_from, encoded
from support.transcripts import START, events_of

from mosaic_telemetry.collectors.codex.counting import Meter, read_counts
from mosaic_telemetry.pricing import TokenUsage

SESSION = "019a0000-0000-7000-8000-000000000001"
FORK = "019a0000-0000-7000-8000-000000000002"
CHILD = "019a0000-0000-7000-8000-000000000003"


class Rollout:
    """A rollout in the making; times are seconds after its start."""

    def __init__(self, session=SESSION, start=0.0, **meta):
        self.records = []
        self.start = start
        self.total = [0, 0, 0]
        self.calls = 0
        self.session = session
        self.add("session_meta", 0, id=session, model_provider=meta.pop("provider", "openai"), **meta)

    def add(self, kind, at, **payload):
        moment = datetime.fromtimestamp((START + (self.start + at) * 1000) / 1000, UTC).isoformat(timespec="milliseconds")
        self.records.append({"timestamp": moment.replace("+00:00", "Z"), "type": kind, "payload": payload})

    def event(self, kind, at, **payload):
        self.add("event_msg", at, type=kind, **payload)

    def prompt(self, at, text="Fix the bug", turn=""):
        if turn:
            self.event("task_started", at, turn_id=turn)
        self.event("user_message", at, message=text)
        self.add("turn_context", at, model="gpt-5", **({"turn_id": turn} if turn else {}))

    def count(self, at, read=1000, cached=400, written=50, *, times=2):
        self.total = [self.total[0] + read, self.total[1] + cached, self.total[2] + written]
        for _ in range(times):
            self.event("token_count", at, info={"total_token_usage": counts(*self.total), "last_token_usage": counts(read, cached, written)})

    def word(self, at):
        self.add("response_item", at, type="message", role="assistant", content=[{"type": "output_text", "text": "Done"}])

    def shell(self, at, command, output, took=1.0):
        self.calls += 1
        use = f"call_{self.session[-1]}{self.calls}"
        self.add("response_item", at, type="function_call", name="exec_command", arguments=json.dumps({"cmd": command}), call_id=use)
        self.add("response_item", at + took, type="function_call_output", call_id=use, output=output)

    def write(self, folder, records=None):
        path = folder / "sessions" / "2026" / "03" / "01" / f"rollout-2026-03-01T09-00-00-{self.session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in (records or self.records)))
        return path


def counts(read, cached, written):
    return {"input_tokens": read, "cached_input_tokens": cached, "output_tokens": written, "reasoning_output_tokens": 5, "total_tokens": read + written}


def simple(turn="", session=SESSION, start=0.0, **meta):
    log = Rollout(session, start, **meta)
    log.prompt(1, turn=turn)
    log.shell(3, "pytest -q", "Wall time: 1.0 seconds\nProcess exited with code 0\nOutput:\n3 passed in 0.1s\n")
    log.count(4)
    log.word(6)
    log.count(6)
    return log


def test_a_total_said_twice_counts_once(tmp_path):
    simple().write(tmp_path)
    (task,) = collect_from("codex", tmp_path).tasks
    assert task.usage == TokenUsage(uncached_input=1200, cache_read=800, output=100)
    assert [call.usage.input for call in task.calls] == [1000, 1000]
    assert task.active_ms == 5000


def test_calls_that_the_log_lost_are_in_the_next_total():
    meter = Meter()
    assert meter.calls((100, 0, 0, 10), (100, 0, 0, 10)) == [TokenUsage(uncached_input=100, output=10)]
    found = meter.calls((400, 0, 0, 40), (200, 0, 0, 20))
    assert found == [TokenUsage(uncached_input=100, output=10), TokenUsage(uncached_input=200, output=20)]
    assert meter.calls((400, 0, 0, 40), (200, 0, 0, 20)) == []
    # A thread that begins anew: the newest call alone is known.
    assert meter.calls((50, 0, 0, 5), (50, 0, 0, 5)) == [TokenUsage(uncached_input=50, output=5)]


@pytest.mark.parametrize(
    "damage", [{"input_tokens": -1}, {"input_tokens": "9"}, {"output_tokens": None, "total_tokens": 3}, {"total_tokens": 1}, {"cached_input_tokens": 9999}]
)
def test_a_damaged_count_is_told_by_the_sum_beside_it(damage):
    assert read_counts(counts(1000, 400, 50)) == (1000, 400, 0, 50)
    assert read_counts({**counts(1000, 400, 50), **damage}) is None


def test_a_damaged_total_is_made_good_by_the_next_and_flagged(tmp_path):
    log = simple()
    for record in log.records:
        if record["payload"].get("type") == "token_count" and record["payload"]["info"]["total_token_usage"]["input_tokens"] == 1000:
            record["payload"]["info"]["total_token_usage"]["input_tokens"] = 7
    log.write(tmp_path)
    (task,) = collect_from("codex", tmp_path).tasks
    assert task.usage == TokenUsage(uncached_input=1200, cache_read=800, output=100)
    assert task.unreliable


@pytest.mark.parametrize("turn", ["", "019a0000-0000-7000-8000-0000000000aa"])
def test_a_fork_that_rewrites_the_times_adds_only_its_own_tasks(tmp_path, turn):
    original = simple(turn)
    original.write(tmp_path)
    alone = encoded(collect_from("codex", tmp_path))
    fork = Rollout(FORK, start=5000, forked_from_id=SESSION)
    head = fork.records[0]
    # Codex writes the copied history with the time of the fork.
    copied = [{**record, "timestamp": head["timestamp"]} for record in original.records]
    fork.total = list(original.total)
    fork.prompt(10, "Add a feature", turn=turn and f"{turn[:-1]}b")
    fork.count(12, 3000, 1000, 70)
    fork.word(12)
    fork.write(tmp_path, [head, *copied, *fork.records[1:]])
    collection = collect_from("codex", tmp_path)
    assert encoded(collection)[0] == alone[0]
    assert [task.usage.input for task in collection.tasks] == [2000, 3000]
    (tmp_path / "sessions/2026/03/01" / f"rollout-2026-03-01T09-00-00-{SESSION}.jsonl").unlink()
    assert len(collect_from("codex", tmp_path).tasks) == 2


def test_a_subagent_belongs_to_the_task_that_started_it(tmp_path):
    parent = "019a0000-0000-7000-8000-0000000000aa"
    simple(parent).write(tmp_path)
    child = Rollout(CHILD, start=2, source={"subagent": {"thread_spawn": {"parent_thread_id": SESSION, "depth": 1}}})
    child.prompt(1, "Look around")
    child.count(2, 500, 0, 20)
    child.word(2)
    child.write(tmp_path)
    collection = collect_from("codex", tmp_path)
    (task,) = collection.tasks
    assert task.usage.input == 2500
    assert sum(call.subagent for call in task.calls) == 1
    (tmp_path / "sessions/2026/03/01" / f"rollout-2026-03-01T09-00-00-{SESSION}.jsonl").unlink()
    left = collect_from("codex", tmp_path)
    assert (list(left.tasks), len(left.outside)) == ([], 1)


def test_what_a_subagent_remembers_of_the_agent_before_it_counts_once(tmp_path):
    parent = simple()
    parent.write(tmp_path)
    copied = [record for record in parent.records if record["type"] != "session_meta"]
    source = {"subagent": {"thread_spawn": {"parent_thread_id": SESSION, "depth": 1}}}
    child = Rollout(CHILD, start=2, source=source, subagent_history_start_ordinal=len(copied) + 1)
    child.prompt(8, "Look around")
    child.count(9, 500, 0, 20)
    child.word(9)
    child.write(tmp_path, [child.records[0], *({**record, "ordinal": number} for number, record in enumerate([*copied, *child.records[1:]], 1))])
    (task,) = collect_from("codex", tmp_path).tasks
    assert task.usage.input == 2500


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ({"type": "task_complete", "duration_ms": 5000}, "success"),
        ({"type": "turn_aborted", "reason": "interrupted"}, "partial"),
        ({"type": "turn_aborted", "reason": "budget_limited"}, "timeout"),
        ({"type": "error", "message": "stream disconnected"}, "failure"),
        ({"type": "error", "message": "You've hit your usage limit."}, "timeout"),
    ],
)
def test_how_a_turn_ended(tmp_path, ending, outcome):
    log = simple("019a0000-0000-7000-8000-0000000000aa")
    log.add("event_msg", 7, **ending)
    log.write(tmp_path)
    collection = collect_from("codex", tmp_path, now_ms=START + 8000)  # told by the record, not by the quiet after it
    assert [event["outcome"] for event in events_of(collection)] == [outcome]


def test_a_turn_without_an_end_runs_until_it_was_quiet_for_an_hour(tmp_path):
    simple().write(tmp_path)
    assert collect_from("codex", tmp_path, now_ms=START + 60_000).running == 1
    assert len(collect_from("codex", tmp_path, now_ms=START + 4_000_000).tasks) == 1


def test_a_command_that_ran_on_is_judged_by_its_end(tmp_path):
    log = Rollout()
    log.prompt(1)
    log.shell(2, "pytest -q", "Wall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\n")
    log.add("response_item", 30, type="function_call", name="write_stdin", arguments='{"session_id": 7}', call_id="poll")
    log.add(
        "response_item", 31, type="function_call_output", call_id="poll", output="Wall time: 1.0 seconds\nProcess exited with code 1\nOutput:\n1 failed in 9s"
    )
    log.count(32)
    log.word(33)
    log.write(tmp_path)
    (event,) = events_of(collect_from("codex", tmp_path))
    assert (list(event["quality_gates_run"]), list(event["quality_gates_failed"])) == (["test"], ["test"])


def test_compacting_by_hand_between_two_tasks_belongs_to_neither(tmp_path):
    log = simple("019a0000-0000-7000-8000-0000000000aa")
    log.event("task_complete", 7, duration_ms=5000)
    log.event("task_started", 50, turn_id="019a0000-0000-7000-8000-0000000000ab")
    log.count(52, 9000, 0, 500)
    log.add("compacted", 52, message="")
    log.write(tmp_path)
    collection = collect_from("codex", tmp_path)
    (task,) = collection.tasks
    assert (task.usage.input, task.compactions) == (2000, 0)
    assert [call.usage.input for call in collection.outside] == [9000]


def test_patches_tell_the_files_and_the_provider_is_who_served(tmp_path):
    log = simple(provider="openrouter")
    patch = "*** Begin Patch\n*** Add File: src/a.rs\n+x\n*** Update File: src/b.rs\n*** End Patch"
    log.add("response_item", 7, type="custom_tool_call", name="apply_patch", input=patch, call_id="p")
    log.word(8)
    log.write(tmp_path)
    (event,) = events_of(collect_from("codex", tmp_path))
    assert (event["language"], event["provider"]) == ("rust", "openrouter")


def test_waiting_for_a_persons_permission_is_no_work(tmp_path):
    log = Rollout()
    log.prompt(0)
    log.add("response_item", 1, type="function_call", name="shell", arguments='{"command": ["ls"]}', call_id="w")
    log.add("response_item", 301, type="function_call_output", call_id="w", output='{"output": "", "metadata": {"exit_code": 0, "duration_seconds": 0.5}}')
    log.count(302)
    log.word(302)
    log.write(tmp_path)
    (task,) = collect_from("codex", tmp_path, now_ms=NOW).tasks
    assert task.active_ms == 1000 + 1500 + 1000
