"""Recorded sessions against what the API really returned, and real sessions against an independent count."""

import json

import pytest
from support.transcripts import RECORDINGS, collect, events_of, test_data

from mosaic_telemetry.pricing import TokenUsage

OUTCOMES = {
    "Fix the failing test in calc.py": ("debugging", "success", ["lint", "test"], []),
    "Debug why test_calc fails but do not change add itself": ("debugging", "failure", ["test"], ["test"]),
    "Implement the fix in calc.py, then run all quality gates and commit": (
        "implementation",
        "partial",
        ["build", "coverage", "lint", "test"],
        ["build", "coverage"],
    ),
}


def wanted(usage):
    return TokenUsage(
        uncached_input=usage["input_tokens"],
        cache_read=usage["cache_read_input_tokens"],
        cache_write_5m=usage["cache_creation.ephemeral_5m_input_tokens"],
        cache_write_1h=usage["cache_creation.ephemeral_1h_input_tokens"],
        output=usage["output_tokens"],
    )


@pytest.fixture(params=["shipped", "original"])
def recordings(request):
    return RECORDINGS if request.param == "shipped" else test_data("harness_runs", "claude-code-2.1.197")


def test_every_session_has_the_tokens_that_the_api_returned(recordings):
    collection = collect(recordings)
    sessions = json.loads((recordings / "expected.json").read_text())["sessions"]
    assert len(collection.tasks) == len(sessions) == 3
    for task, event, expected in zip(collection.tasks, events_of(collection), sessions, strict=True):
        assert task.usage == wanted(expected["usage"])
        assert len(task.calls) == expected["calls"]
        assert {call.model for call in task.calls} == set(expected["models"])
        kind, outcome, run, failed = OUTCOMES[expected["prompt"]]
        assert (event["task_type"], event["outcome"]) == (kind, outcome)
        assert (list(event["quality_gates_run"]), list(event["quality_gates_failed"])) == (run, failed)
        assert event["language"] == "python"
        assert event["provider"] == "anthropic"
        # The first call reached the API a moment after the prompt was given; nobody was waited for.
        wall = (expected["last_t"] - expected["first_t"]) * 1000
        assert wall - 1 <= event["task_duration_ms"] <= wall + 1000
        assert not task.unreliable


def test_every_call_has_the_tokens_that_the_api_returned(recordings):
    truth = [json.loads(line) for line in (recordings / "truth.jsonl").read_text().splitlines()]
    returned = sorted(json.dumps(flat(call["usage"])) for call in truth if "usage" in call)
    calls = [call for task in collect(recordings).tasks for call in task.calls]
    assert sorted(json.dumps(of_call(call.usage)) for call in calls) == returned


def flat(usage):
    split = usage["cache_creation"]
    written = (split["ephemeral_5m_input_tokens"], split["ephemeral_1h_input_tokens"])
    return [usage["input_tokens"], usage["cache_read_input_tokens"], *written, usage["output_tokens"]]


def of_call(usage):
    return [usage.uncached_input, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.output]


def test_the_cost_is_what_the_harness_itself_computed():
    results = test_data("harness_runs", "claude-code-2.1.197", "stream-json")
    own = {}
    for path in results.glob("*.jsonl"):
        last = json.loads(path.read_text().splitlines()[-1])
        own[last["session_id"]] = round(last["total_cost_usd"] * 1_000_000)
    found = {task.session: task.price().micros for task in collect(RECORDINGS).tasks}
    assert found == own


@pytest.mark.parametrize("folder", ["entireio", "claude-code-log"])
def test_true_totals_of_real_sessions_equal_an_independent_count(folder):
    oracle = json.loads(test_data("claude_code", "ccusage_20.0.26_oracle.json").read_text())[folder]
    collection = collect(test_data("claude_code", folder))
    total = sum((totals.recorded for totals in collection.totals.values()), TokenUsage())
    assert {
        "inputTokens": total.uncached_input,
        "outputTokens": total.output,
        "cacheReadTokens": total.cache_read,
        "cacheCreationTokens": total.cache_write,
    } == {name: count for name, count in oracle["totals"].items() if name.endswith("Tokens") and name != "totalTokens"}
    calls = sum(totals.calls for totals in collection.totals.values())
    partial = [call for task in collection.tasks for call in task.calls if call.partial]
    assert calls - len(partial) == oracle["by_message_id_max"]["unique_message_ids"]


@pytest.mark.parametrize("folder", ["entireio", "claude-code-log"])
def test_tasks_of_real_sessions_and_calls_outside_them_are_all_there_is(folder):
    collection = collect(test_data("claude_code", folder))
    inside = sum((task.usage for task in collection.tasks), TokenUsage())
    outside = sum((call.usage for call in collection.outside), TokenUsage())
    total = sum((totals.recorded + totals.partial for totals in collection.totals.values()), TokenUsage())
    assert inside + outside == total
    assert collection.running == 0
    identifiers = [event["event_id"] for event in events_of(collection)]
    assert len(set(identifiers)) == len(identifiers) > 40


def test_subagents_left_only_in_progress_records_count_for_their_task():
    collection = collect(test_data("claude_code", "entireio"))
    partial = [call for task in collection.tasks for call in task.calls if call.partial]
    assert len(partial) == 18
    assert all(call.subagent for call in partial)
    assert all(task.unreliable for task in collection.tasks if any(call.partial for call in task.calls))


def test_time_at_work_is_never_longer_than_the_turns_that_the_harness_measured():
    collection = collect(test_data("claude_code"))
    # One of these waited for its person for a day.
    waited = [task for task in collection.tasks if task.ended_ms - task.started_ms > 80_000_000]
    assert [task.active_ms for task in waited] == [128_825]
    assert all(0 < task.active_ms <= task.ended_ms - task.started_ms + 5 for task in collection.tasks)
