"""What becomes a task in sessions of Cline CLI 3."""

import pytest
from support.cline import CliSession
from support.opencode import collect, events_of, ms
from support.transcripts import START


def collected(tmp_path, *logs, **options):
    for log in logs:
        log.write(tmp_path / "data" / "sessions")
    return collect(tmp_path, "cline", **options)


def test_a_task_goes_from_a_prompt_to_the_last_word_before_the_next(tmp_path):
    log = CliSession()
    log.prompt(0, "Implement the parser")
    log.command(1, "pytest -q", 1, "1 failed in 0.1s")
    log.command(3, "pytest -q", 0)
    log.answer(5)
    log.prompt(600, "Write the docs", mode="plan")
    log.answer(603)
    first, second = collected(tmp_path, log).tasks
    assert (first.task_type, second.task_type) == ("implementation", "planning")
    assert (first.usage.uncached_input, first.usage.cache_read, first.usage.output) == (3 * 1976, 3 * 1024, 180)
    assert (first.started_ms, first.ended_ms, first.active_ms, second.active_ms) == (ms(0), ms(5), 5000, 3000)
    assert dict(first.gates) == {"test": True}


@pytest.mark.parametrize(("status", "outcome"), [("completed", "partial"), ("failed", "failure"), ("cancelled", "partial")])
def test_how_a_session_that_has_no_last_word_ends(tmp_path, status, outcome):
    log = CliSession()
    log.prompt(0)
    log.command(1, "ls", 0)
    log.info |= {"status": status, "ended_at": "2026-03-01T09:00:10.000Z"}
    collection = collected(tmp_path, log, now_ms=START + 60_000)
    assert [task.outcome for task in collection.tasks] == [outcome]


def test_a_running_task_is_reported_when_it_is_finished(tmp_path):
    log = CliSession()
    log.prompt(0)
    log.command(1, "ls", 0)
    assert collected(tmp_path, log, now_ms=START + 60_000).running == 1
    log.answer(5)
    assert len(collected(tmp_path, log, now_ms=START + 60_000).tasks) == 1


def test_files_touched_and_questions(tmp_path):
    log = CliSession()
    log.prompt(0, "go on")
    log.answer(1, ("editor", {"command": "create", "path": "a.go"}), ("read_files", {"files": [{"path": "b.py"}]}), ("ask_question", {"question": "?"}))
    log.result(900, [{"success": True}], [{"success": True}], [{"success": True}])
    log.answer(902, ("editor", {"command": "str_replace", "path": "c.py"}))
    log.result(903, [{"success": False, "error": "no match"}])
    log.answer(904)
    (event,) = events_of(collected(tmp_path, log))
    assert (event["language"], event["task_type"]) == ("go", "implementation")
    assert event["task_duration_ms"] == (1 + 5 + 2 + 1 + 1) * 1000


@pytest.mark.parametrize("written", ["files", "sums"])
def test_what_agents_of_the_session_used_belongs_to_its_task(tmp_path, written):
    log = CliSession()
    log.prompt(0)
    log.answer(1, ("spawn_agent", {"task": "look"}))
    log.result(30, [{"success": True}])
    log.answer(31)
    own = {"inputTokens": 6000, "outputTokens": 120, "cacheReadTokens": 2048, "cacheWriteTokens": 0}
    everything = {"inputTokens": 9000, "outputTokens": 127, "cacheReadTokens": 3072, "cacheWriteTokens": 0}
    log.info["metadata"] = {"usage": own, "aggregateUsage": everything, "aggregatedAgentsCost": 0.5}
    folder = log.write(tmp_path / "data" / "sessions")
    if written == "files":
        agent = CliSession("agent_1")
        agent.prompt(2, "look")
        agent.answer(20, tokens=(3000, 7, 1024, 0))
        other = agent.write(tmp_path / "elsewhere")
        (folder / "agent_1.messages.json").write_bytes((other / "agent_1.messages.json").read_bytes())
    (task,) = collected(tmp_path).tasks
    assert (task.usage.input, task.usage.cache_read, task.usage.output) == (9000, 3072, 127)
    assert [call.subagent for call in task.calls].count(True) == 1


@pytest.mark.parametrize(("tokens", "uncached"), [((3000, 60, 1024, 0), 1976), ((10, 60, 1024, 200), 10)])
def test_a_request_with_more_cache_than_input_tells_that_the_input_excludes_it(tmp_path, tokens, uncached):
    log = CliSession(provider="anthropic", model="claude-sonnet-4-5")
    log.provider = "cerebras"
    log.prompt(0)
    log.answer(1, tokens=tokens)
    assert collected(tmp_path, log).tasks[0].usage.uncached_input == uncached


def test_an_answer_without_counts_makes_the_task_unreliable(tmp_path):
    log = CliSession()
    log.prompt(0)
    del log.answer(1)["metrics"]
    assert [task.unreliable for task in collected(tmp_path, log).tasks] == [True]
