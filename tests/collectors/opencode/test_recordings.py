"""Recorded sessions of opencode and Kilo CLI against what the API really returned."""

import json

import pytest
from support.opencode import DEMO, collect, events_of, named
from support.transcripts import test_data

RUNS = {"opencode-1.18.33": "opencode", "opencode-1.0.185-json": "opencode", "kilo-cli-7.8.1": "kilo"}
OUTCOMES = {
    "Fix the failing test in calc.py": ("debugging", "success", ("lint", "test"), ()),
    "Debug why test_calc fails but do not change add itself": ("debugging", "failure", ("test",), ("test",)),
    "Implement the fix in calc.py, then run all quality gates and commit": (
        "implementation",
        "partial",
        ("build", "coverage", "lint", "test"),
        ("build", "coverage"),
    ),
}


@pytest.fixture(params=[f"{run} {kind}" for run in RUNS for kind in ("shipped", "original")])
def recordings(request):
    run, kind = request.param.split()
    return RUNS[run], DEMO / run if kind == "shipped" else test_data("harness_runs", run)


def test_every_session_has_the_tokens_that_the_api_returned(recordings):
    name, folder = recordings
    collection = collect(folder, name)
    sessions = json.loads((folder / "expected.json").read_text())["sessions"]
    assert len(collection.tasks) == len(sessions) == 3
    assert (collection.skipped, collection.running, list(collection.outside)) == (0, 0, [])
    for task, event, expected in zip(collection.tasks, events_of(collection), sessions, strict=True):
        usage = expected["usage"]
        found = (task.usage.uncached_input, task.usage.cache_write, task.usage.cache_read, task.usage.output)
        assert found == (usage["input_tokens"], usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"])
        assert collection.totals[task.session].recorded == task.usage
        assert len(task.calls) == expected["calls"]
        assert (event["task_type"], event["outcome"], event["quality_gates_run"], event["quality_gates_failed"]) == OUTCOMES[expected["prompt"]]
        assert (event["language"], event["provider"], event["model"]) == ("python", "anthropic", "claude-sonnet-4-5")
        assert event["harness"] == ("kilo_code" if name == "kilo" else "opencode")
        assert event["task_duration_ms"] >= round((expected["last_t"] - expected["first_t"]) * 1000)
        assert event["task_duration_ms"] <= task.ended_ms - task.started_ms
        assert not task.unreliable


def test_every_call_has_the_tokens_that_the_api_returned(recordings):
    name, folder = recordings
    truth = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    returned = [call["usage"] for call in truth if call.get("usage") and call["step"] is not None]
    fields = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    wanted = [tuple(usage[field] for field in fields) for usage in returned]
    calls = [call.usage for task in collect(folder, name).tasks for call in task.calls]
    assert sorted((one.uncached_input, one.cache_write, one.cache_read, one.output) for one in calls) == sorted(wanted)


def test_the_cost_is_what_the_harness_itself_computed(recordings):
    name, folder = recordings
    for task in collect(folder, name).tasks:
        assert task.price().micros == round(sum(call.reported_usd for call in task.calls) * 1_000_000)


def test_nothing_private_stands_in_the_recordings_that_ship():
    data = b"".join(path.read_bytes() for run in RUNS for path in (DEMO / run).rglob("*") if path.is_file())
    for private in (b"/root", b"developer", b"/work/", b"sk-ant", b"You are "):
        assert private not in data


def test_the_files_of_an_old_session_follow_from_that_of_the_session():
    storage = DEMO / "opencode-1.0.185-json" / "storage"
    (one, *_) = sorted((storage / "session").rglob("*.json"))
    tasks = collect(one).tasks
    assert [task.session for task in tasks] == [one.stem]
    assert tasks == [task for task in collect(storage.parent).tasks if task.session == one.stem]
    assert collect(storage / "message" / one.stem).tasks == tasks
    assert named("opencode").find(storage) == named("opencode").find(storage.parent)
