"""Recorded tasks of Cline and sessions of its CLI against what the API really returned."""

import json

import pytest
from support.opencode import DEMO, collect, events_of
from support.transcripts import test_data

# The first CLI's shell found neither pytest nor linters: its gates really failed.
OUTCOMES = {
    "cline-2.18.0-classic": [
        ("debugging", "failure", ("lint", "test"), ("lint", "test")),
        ("debugging", "failure", ("test",), ("test",)),
        ("implementation", "failure", ("build", "coverage", "lint", "test"), ("build", "coverage", "lint", "test")),
    ],
    "cline-cli-3.0.65": [
        ("debugging", "success", ("lint", "test"), ()),
        ("debugging", "failure", ("test",), ("test",)),
        ("implementation", "partial", ("build", "coverage", "lint", "test"), ("build", "coverage")),
    ],
}


@pytest.fixture(params=[f"{run} {kind}" for run in OUTCOMES for kind in ("shipped", "original")])
def recordings(request):
    run, kind = request.param.split()
    return DEMO / run if kind == "shipped" else test_data("harness_runs", run)


def test_every_session_has_the_tokens_that_the_api_returned(recordings):
    collection = collect(recordings, "cline")
    sessions = json.loads((recordings / "expected.json").read_text())["sessions"]
    assert len(collection.tasks) == len(sessions) == 3
    assert (collection.skipped, collection.running, list(collection.outside)) == (0, 0, [])
    for task, event, expected, outcome in zip(collection.tasks, events_of(collection), sessions, OUTCOMES[recordings.name], strict=True):
        usage = expected["usage"]
        wanted = (usage["prompt_tokens"], usage["prompt_tokens_details.cached_tokens"], usage["completion_tokens"])
        assert (task.usage.input, task.usage.cache_read, task.usage.output) == wanted
        assert collection.totals[task.session].recorded == task.usage
        assert len(task.calls) == expected["calls"]
        assert (event["task_type"], event["outcome"], event["quality_gates_run"], event["quality_gates_failed"]) == outcome
        assert (event["language"], event["model"], event["harness"]) == ("python", "gpt-5", "custom")
        # A server that speaks OpenAI's language is OpenAI's own only where Cline says so.
        assert event["provider"] == ("openai" if recordings.name == "cline-2.18.0-classic" else "custom")
        assert event["task_duration_ms"] >= round((expected["last_t"] - expected["first_t"]) * 1000)
        assert event["task_duration_ms"] <= task.ended_ms - task.started_ms
        assert not task.unreliable


def test_every_call_has_the_tokens_that_the_api_returned(recordings):
    truth = [json.loads(line) for line in (recordings / "truth.jsonl").read_text().splitlines()]
    returned = [(call["usage"]["prompt_tokens"], call["usage"]["completion_tokens"]) for call in truth if call.get("usage")]
    calls = [call.usage for task in collect(recordings, "cline").tasks for call in task.calls]
    assert sorted((one.input, one.output) for one in calls) == sorted(returned)


def test_nothing_private_stands_in_the_recordings_that_ship():
    data = b"".join(path.read_bytes() for run in OUTCOMES for path in (DEMO / run).rglob("*") if path.is_file())
    for private in (b"/root", b"developer", b"/work/", b"sk-ant", b"You are ", b"RECOMMENDED"):
        assert private not in data
