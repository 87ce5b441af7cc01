"""What pi writes and how it is taken: trees, forks, new forms of old sessions, endings."""

import json
from datetime import UTC, datetime

import pytest
from support.recordings import collect_from, encoded
from support.transcripts import START, events_of

from mosaic_telemetry.pricing import PriceSource, TokenUsage


class Session:
    """A session in the making; each entry follows the one before unless told otherwise."""

    def __init__(self, name="s1", prefix="e"):
        self.records = [{"type": "session", "version": 3, "id": name}]
        self.prefix = prefix
        self.last = None

    def message(self, at, parent=None, **message):
        moment = START + round(at * 1000)
        name = f"{self.prefix}{len(self.records)}"
        said = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.records.append({"type": "message", "id": name, "parentId": parent or self.last, "timestamp": said, "message": {"timestamp": moment, **message}})
        self.last = name
        return name

    def prompt(self, at, text="Fix the bug", parent=None):
        return self.message(at, parent, role="user", content=[{"type": "text", "text": text}])

    def answer(self, at, stop="stop", tools=(), **more):
        usage = {"input": 10, "output": 50, "cacheRead": 400, "cacheWrite": 100, "cost": {"total": 0.25}} | more.pop("usage", {})
        calls = [{"type": "toolCall", "id": use, "name": name, "arguments": arguments} for use, name, arguments in tools]
        fields = {"provider": "anthropic", "model": "claude-sonnet-4-5", "responseId": f"r{self.prefix}{len(self.records)}"} | more
        return self.message(at, role="assistant", usage=usage, stopReason="toolUse" if tools else stop, content=calls, **fields)

    def result(self, at, use, text="", *, failed=False):
        return self.message(at, role="toolResult", toolCallId=use, content=[{"type": "text", "text": text}], isError=failed)

    def write(self, folder, name="s1"):
        path = folder / "sessions" / "--p--" / f"2026_{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in self.records))


def simple(name="s1"):
    log = Session(name)
    log.prompt(1)
    log.answer(3, tools=[("t1", "bash", {"command": "go test ./..."})])
    log.result(4, "t1", "FAIL\nCommand exited with code 1", failed=True)
    log.answer(5, tools=[("t2", "edit", {"path": "a.go"})])
    log.result(5.1, "t2")
    log.answer(6, tools=[("t3", "bash", {"command": "go test ./..."})])
    log.result(7, "t3", "ok  \tm\t0.1s")
    log.answer(9)
    return log


def test_a_task_with_its_tools(tmp_path):
    simple().write(tmp_path)
    collection = collect_from("pi", tmp_path, now_ms=START + 10_000)  # its last word is known to be one
    (task,) = collection.tasks
    (event,) = events_of(collection)
    assert task.usage == TokenUsage(uncached_input=40, cache_read=1600, cache_write_5m=400, output=200)
    assert task.active_ms == 8000
    assert (event["outcome"], event["language"], list(event["quality_gates_run"]), list(event["quality_gates_failed"])) == ("success", "go", ["test"], [])


def test_a_fork_and_a_session_brought_into_a_newer_form_keep_the_ids(tmp_path):
    log = simple()
    log.write(tmp_path)
    alone = encoded(collect_from("pi", tmp_path))
    fork = Session("s2", "e")
    fork.records += log.records[1:]
    fork.last, fork.prefix = log.last, "f"
    fork.prompt(100, "Another way")
    fork.answer(110)
    fork.write(tmp_path, "s2")
    both = encoded(collect_from("pi", tmp_path))
    assert both[:1] == alone
    assert len(both) == 2
    for record in log.records:
        record.pop("parentId", None)
        if record["type"] == "message":
            del record["id"]
    log.write(tmp_path)
    assert encoded(collect_from("pi", tmp_path)) == both


def test_two_branches_of_one_tree_are_two_tasks(tmp_path):
    log = Session()
    root = log.prompt(1)
    log.answer(3)
    log.prompt(10, "One way")
    log.answer(12)
    log.prompt(20, "Another way", parent=root)
    log.answer(23)
    log.write(tmp_path)
    assert [len(task.calls) for task in collect_from("pi", tmp_path).tasks] == [1, 1, 1]


@pytest.mark.parametrize(("stop", "outcome"), [("stop", "success"), ("length", "timeout"), ("aborted", "partial"), ("error", "failure")])
def test_how_a_task_ended(tmp_path, stop, outcome):
    log = Session()
    log.prompt(1)
    log.answer(3, stop)
    log.write(tmp_path)
    assert [event["outcome"] for event in events_of(collect_from("pi", tmp_path))] == [outcome]


def test_an_answer_that_used_nothing_is_no_call(tmp_path):
    log = Session()
    log.prompt(1, "/mode")
    log.answer(2, "aborted", usage=dict.fromkeys(("input", "output", "cacheRead", "cacheWrite"), 0))
    log.write(tmp_path)
    assert not collect_from("pi", tmp_path).tasks


def test_pi_s_own_cost_counts_only_for_a_model_that_no_list_has(tmp_path):
    log = Session()
    log.prompt(1)
    log.answer(3)
    log.prompt(10)
    log.answer(13, model="house-model", provider="our-gateway")
    log.write(tmp_path)
    known, unknown = collect_from("pi", tmp_path).tasks
    assert (known.price().source, unknown.price().source) == (PriceSource.PRICED, PriceSource.REPORTED)
    assert (unknown.price().micros, unknown.provider) == (250_000, "custom")
