"""Recorded sessions of each harness against what the model API really returned, call by call, session by session."""

import json

import pytest
from support.recordings import AIDER, CODEX_NEW, CODEX_OLD, DEMO_DATA, GEMINI_NEW, GEMINI_OLD, PI, collect_from
from support.transcripts import events_of, test_data

from mosaic_telemetry.pricing import TokenUsage

B, C, L, T = "build", "coverage", "lint", "test"
# By prompt: kind, outcome, gates run, gates failed. In the runs of Codex no tool but npm was installed: what was tried failed.
AS_PLAYED = [("debugging", "success", [L, T], []), ("debugging", "failure", [T], [T]), ("implementation", "partial", [B, C, L, T], [B, C])]
NO_TOOLS = [("debugging", "failure", [L, T], [L, T]), ("debugging", "failure", [T], [T]), ("implementation", "failure", [B, C, L, T], [B, C, L, T])]
# Here the edit was refused by the harness's own safety check, so that the tests went on failing.
NO_EDIT = [("debugging", "partial", [L, T], [T]), *AS_PLAYED[1:]]
SCENARIOS = {CODEX_NEW: NO_TOOLS, CODEX_OLD: NO_TOOLS, GEMINI_NEW: AS_PLAYED, GEMINI_OLD: NO_EDIT, PI: AS_PLAYED}


def from_responses(usage):
    cached = usage["input_tokens_details"]["cached_tokens"]
    return TokenUsage(uncached_input=usage["input_tokens"] - cached, cache_read=cached, output=usage["output_tokens"])


def from_gemini(usage):
    cached = usage["cachedContentTokenCount"]
    return TokenUsage(
        uncached_input=usage["promptTokenCount"] - cached + usage["toolUsePromptTokenCount"],
        cache_read=cached,
        output=usage["candidatesTokenCount"] + usage["thoughtsTokenCount"],
    )


def from_anthropic(usage):
    return TokenUsage(
        uncached_input=usage["input_tokens"],
        cache_read=usage["cache_read_input_tokens"],
        cache_write_5m=usage["cache_creation"]["ephemeral_5m_input_tokens"],
        cache_write_1h=usage["cache_creation"]["ephemeral_1h_input_tokens"],
        output=usage["output_tokens"],
    )


READ = {"codex": from_responses, "gemini": from_gemini, "pi": from_anthropic}


@pytest.fixture(params=["shipped", "original"])
def root(request):
    return DEMO_DATA if request.param == "shipped" else test_data("harness_runs")


@pytest.mark.parametrize("recording", SCENARIOS, ids=str)
def test_every_call_of_every_session_has_the_tokens_that_the_api_returned(root, recording):
    folder = root / recording.folder
    truth = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    returned = iter([READ[recording.collector](call["usage"]) for call in truth if "usage" in call])
    sessions = json.loads((folder / "expected.json").read_text())["sessions"]
    collection = collect_from(recording.collector, folder)
    assert len(collection.tasks) == len(sessions) == 3
    assert (collection.running, collection.skipped, list(collection.outside)) == (0, 0, [])
    for task, event, expected, scenario in zip(collection.tasks, events_of(collection), sessions, SCENARIOS[recording], strict=True):
        calls = [next(returned) for _ in range(expected["calls"])]
        assert [call.usage for call in task.calls] == calls
        assert {call.model for call in task.calls} == set(expected["models"])
        assert collection.totals[task.session].recorded == sum(calls, TokenUsage())
        kind, outcome, run, failed = scenario
        assert (event["task_type"], event["outcome"]) == (kind, outcome)
        assert (list(event["quality_gates_run"]), list(event["quality_gates_failed"])) == (run, failed)
        assert (event["harness"], event["provider"], event["language"]) == ("custom", recording.provider, "python")
        assert 0 < event["context_utilization_final"] < 0.2
        assert event["actual_cost_usd_micros"] > 0
        wall = (expected["last_t"] - expected["first_t"]) * 1000
        assert wall - 150 <= event["task_duration_ms"] <= wall + 7000
        assert not task.unreliable
    assert next(returned, None) is None


def test_aider_has_the_tokens_of_its_main_model(root):
    truth = [json.loads(line) for line in (root / AIDER.folder / "truth.jsonl").read_text().splitlines()]
    wanted = [(call["usage"]["prompt_tokens"], call["usage"]["completion_tokens"]) for call in truth if call["model"] == "gpt-5"]
    collection = collect_from("aider", root / AIDER.folder)
    assert [(task.usage.input, task.usage.output) for task in collection.tasks] == wanted
    for event, kind in zip(events_of(collection), ("debugging", "debugging", "implementation"), strict=True):
        assert (event["model"], event["provider"], event["harness"]) == ("openai/gpt-5", "openai", "aider")
        assert (event["task_type"], event["outcome"], event["language"]) == (kind, "success", "python")
        assert event["actual_cost_usd_micros"] == 3198  # as aider says: it knows what was cached, the log does not tell


def test_real_sessions_of_pi_and_gemini_are_counted_to_the_token():
    for name, folder, files in (("pi", "pi", 1), ("gemini", "gemini_cli", 2)):
        collection = collect_from(name, test_data(folder) if name == "pi" else test_data(folder, "entireio"))
        inside = sum((task.usage for task in collection.tasks), TokenUsage())
        outside = sum((call.usage for call in collection.outside), TokenUsage())
        total = sum((totals.recorded for totals in collection.totals.values()), TokenUsage())
        assert inside + outside == total
        assert collection.files == files
        if name == "pi":
            assert total == TokenUsage(uncached_input=1049, cache_read=43_229_469, cache_write_5m=4_296_232, output=83_156)
        else:
            assert total == TokenUsage(uncached_input=13_635, cache_read=35_330, output=302)
