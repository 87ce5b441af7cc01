"""What becomes a task in sessions of opencode, and where each number of it comes from."""

import pytest
from support.opencode import Session, collect, events_of, ms
from support.transcripts import START

from mosaic_telemetry.collectors import Note


@pytest.fixture(params=["database", "files"])
def collected(request, tmp_path):
    """Collects sessions that are stored in either way."""

    def run(*sessions, **options):
        for session in sessions:
            session.save(tmp_path / "opencode.db") if request.param == "database" else session.spread(tmp_path / "storage")
        return collect(tmp_path, **options)

    return run


def test_a_task_goes_from_a_prompt_to_the_last_word_before_the_next(collected):
    log = Session()
    log.prompt(0, "Implement the parser")
    log.bash(1, "pytest -q")
    log.answer(3)
    log.prompt(60, "Write the docs")
    log.answer(61)
    first, second = collected(log).tasks
    assert (first.task_type, second.task_type) == ("implementation", "documentation")
    assert [len(task.calls) for task in (first, second)] == [2, 1]
    assert (first.usage.uncached_input, first.usage.cache_read, first.usage.cache_write, first.usage.output) == (20, 2000, 400, 200)
    assert (first.started_ms, first.ended_ms) == (ms(0), ms(4))
    assert (first.active_ms, second.active_ms) == (4000, 2000)
    assert dict(first.gates) == {"test": True}


@pytest.mark.parametrize(
    ("code", "output", "gates"), [(0, "", {"test": True}), (1, "", {"test": False}), (None, "", {}), (None, "3 passed in 0.1s", {"test": True})]
)
def test_the_exit_status_of_a_command_decides_its_gate(collected, code, output, gates):
    log = Session()
    log.prompt(0)
    log.bash(1, "pytest -q", code, output)
    log.answer(3)
    assert dict(collected(log).tasks[0].gates) == gates


def test_a_subagents_session_belongs_to_the_task_that_started_it(collected):
    log = Session(1)
    log.prompt(0)
    message = log.answer(1)
    log.tool(message, "task", 2, 30, {"prompt": "look"}, {"sessionId": "ses_0002"})
    log.answer(31)
    log.prompt(40)
    log.answer(41)
    child = Session(2, parent=log.id)
    child.prompt(2, "look")
    child.bash(3, "ruff check .")
    inner = child.answer(6, finish="tool-calls")
    child.tool(inner, "task", 7, 20, {}, {"sessionId": "ses_0003"})
    grandchild = Session(3, parent=child.id)
    grandchild.prompt(8, "deeper")
    grandchild.answer(9, output=7)
    collection = collected(log, child, grandchild)
    first, second = collection.tasks
    assert first.usage.output == 100 + 100 + 100 + 100 + 7
    assert [call.subagent for call in first.calls] == [False, True, True, True, False]
    assert dict(first.gates) == {"lint": True}
    assert first.active_ms == 32_000
    assert len(second.calls) == 1
    assert list(collection.totals) == [log.id]


def test_a_subagent_that_nobody_names_belongs_to_the_task_of_its_time(collected):
    log = Session(1)
    for at in (0, 100):
        log.prompt(at)
        log.answer(at + 1)
    child = Session(2, parent=log.id)
    child.prompt(50)
    child.answer(52)
    stranger = Session(3, parent="ses_gone")
    stranger.prompt(50)
    stranger.answer(52, output=9)
    collection = collected(log, child, stranger)
    assert [len(task.calls) for task in collection.tasks] == [2, 1]
    assert [call.usage.output for call in collection.outside] == [9]


def test_a_compaction_in_the_middle_is_counted_and_does_not_end_the_task(collected):
    log = Session()
    log.prompt(0)
    log.bash(1, "make")
    log.compaction(4, auto=True)
    log.prompt(7, "Continue if you have next steps", synthetic=True)
    log.answer(8)
    (event,) = events_of(collected(log))
    assert (event["context_compactions"], event["actual_output_tokens"], event["outcome"]) == (1, 230, "success")


def test_a_prompt_given_again_after_the_context_ran_over_is_no_new_one(collected):
    log = Session()
    log.prompt(0, "Fix it")
    log.bash(1, "ls")
    log.compaction(4, auto=True, overflow=True)
    log.prompt(6.01, "Fix it")
    log.answer(7)
    assert len(collected(log).tasks) == 1


def test_a_compaction_by_hand_between_two_tasks_belongs_to_neither(collected):
    log = Session()
    log.prompt(0)
    log.answer(1)
    log.compaction(10, auto=False)
    log.prompt(20)
    log.answer(21)
    collection = collected(log)
    assert [(task.compactions, len(task.calls)) for task in collection.tasks] == [(0, 1), (0, 1)]
    assert [call.usage.output for call in collection.outside] == [30]


def test_a_persons_own_shell_command_is_no_task(collected):
    log = Session()
    log.prompt(0)
    log.answer(1)
    log.prompt(10, "The following tool was executed by the user", synthetic=True)
    none = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    message = log.answer(10, tokens=none)
    log.parts.pop()  # no step of a model
    log.tool(message, "bash", 10, 11, {"command": "pytest"}, {"exit": 1, "output": ""})
    collection = collected(log)
    assert [dict(task.gates) for task in collection.tasks] == [{}]
    assert list(collection.outside) == []


def test_what_is_typed_while_the_agent_works_steers_the_running_task(collected):
    log = Session()
    log.prompt(0)
    log.bash(1, "make", took=10)
    log.prompt(5, "use tabs")
    log.answer(12)
    (task,) = collected(log).tasks
    assert (len(task.calls), task.outcome) == (2, "success")


def test_waiting_for_the_person_is_no_work(collected):
    log = Session()
    log.prompt(0)
    message = log.answer(2, took=1, finish="tool-calls")
    log.tool(message, "edit", 3, 3603, {"filePath": "/p/a.py"})  # an hour until it was permitted
    message = log.answer(3604, took=1, finish="tool-calls")
    log.tool(message, "question", 3605, 9000)
    message = log.answer(9001, took=1, finish="tool-calls")
    log.tool(message, "bash", 9002, 9202, {"command": "make", "timeout": 300_000}, {"exit": 0})
    log.answer(9203, took=2)
    (event,) = events_of(collected(log))
    assert event["task_duration_ms"] == (3 + 5 + 1 + 1 + 0 + 1 + 1 + 200 + 1 + 2) * 1000


@pytest.mark.parametrize(
    ("finish", "error", "outcome"),
    [
        ("stop", None, "success"),
        ("length", None, "timeout"),
        ("content-filter", None, "failure"),
        ("tool-calls", None, "partial"),
        (None, {"name": "MessageAbortedError", "data": {"message": ""}}, "partial"),
        (None, {"name": "APIError", "data": {"message": "Overloaded"}}, "failure"),
        (None, {"name": "APIError", "data": {"message": "You exceeded your current quota"}}, "timeout"),
        (None, {"name": "MessageOutputLengthError", "data": {}}, "timeout"),
    ],
)
def test_how_a_task_ends(collected, finish, error, outcome):
    log = Session()
    log.prompt(0)
    log.bash(1, "pytest")
    log.answer(5, finish=finish, **({"error": error} if error else {}))
    (event,) = events_of(collected(log))
    assert event["outcome"] == outcome


def test_a_running_task_is_reported_when_it_is_finished(collected):
    log = Session()
    log.prompt(0)
    log.bash(1, "pytest")
    early = collected(log, now_ms=START + 60_000)
    assert (len(early.tasks), early.running) == (0, 1)
    assert len(collected(log, now_ms=START + 3_700_000).tasks) == 1  # nothing for an hour
    log.answer(6)
    done = collected(log, now_ms=START + 60_000)
    assert (len(done.tasks), done.running) == (1, 0)


def test_a_prompt_that_no_model_answers_is_no_task(collected):
    log = Session()
    log.prompt(0)
    log.prompt(9)
    log.answer(10)
    assert len(collected(log).tasks) == 1


@pytest.mark.parametrize(
    ("provider", "tokens", "output"),
    [
        ("openai", {"total": 1310, "input": 10, "output": 60, "reasoning": 40, "cache": {"read": 1000, "write": 200}}, 100),
        ("openai", {"total": 1270, "input": 10, "output": 60, "reasoning": 40, "cache": {"read": 1000, "write": 200}}, 60),
        ("openai", {"input": 10, "output": 100, "reasoning": 40, "cache": {"read": 1000, "write": 200}}, 100),
        ("google", {"input": 10, "output": 60, "reasoning": 40, "cache": {"read": 1000, "write": 200}}, 100),
    ],
)
def test_reasoning_counts_once(collected, provider, tokens, output):
    log = Session(provider=provider)
    log.prompt(0)
    log.answer(1, tokens=tokens)
    assert collected(log).tasks[0].usage.output == output


def test_several_steps_in_one_message_are_several_calls(collected):
    log = Session()
    log.prompt(0)
    message = log.answer(1, output=5)
    log.part(message, "step-start")
    log.part(message, "step-finish", tokens={"input": 1, "output": 2, "reasoning": 0, "cache": {"read": 3, "write": 4}})
    (task,) = collected(log).tasks
    assert [call.usage.output for call in task.calls] == [2, 5] or [call.usage.output for call in task.calls] == [5, 2]
    assert task.usage.input == 1210 + 8


def test_an_answer_that_was_cut_off_makes_the_count_unreliable(collected):
    log = Session()
    log.prompt(0)
    none = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    log.answer(1, tokens=none, finish=None, error={"name": "MessageAbortedError", "data": {}})
    (task,) = collected(log).tasks
    assert task.unreliable
    assert Note.OUTPUT_PARTIAL in task.notes


@pytest.mark.parametrize("broken", [{"input": -5, "output": 1}, {"input": "many", "output": 1}, {"input": 5}, {"input": 5, "output": 1e300}, None, []])
def test_a_damaged_count_makes_the_task_unreliable(collected, broken):
    log = Session()
    log.prompt(0)
    log.bash(1, "ls")
    message = log.answer(3)
    message["tokens"] = broken
    log.parts = [part for part in log.parts if part["messageID"] != message["id"]]
    (task,) = collected(log).tasks
    assert task.unreliable


@pytest.mark.parametrize(
    ("provider", "model", "named", "known"),
    [
        ("anthropic", "claude-sonnet-4-5", "anthropic", True),
        ("openai", "gpt-5", "openai", True),
        ("openrouter", "anthropic/claude-sonnet-4.5", "openrouter", True),
        ("google-vertex-anthropic", "claude-sonnet-4-5@20250929", "google", True),
        ("amazon-bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "custom", True),
        ("github-copilot", "gpt-5", "custom", True),
        ("ollama", "house-model", "ollama", False),
    ],
)
def test_provider_is_who_served_the_model(collected, provider, model, named, known):
    log = Session(provider=provider, model=model)
    log.prompt(0)
    log.answer(1)
    collection = collected(log)
    (event,) = events_of(collection)
    assert (event["model"], event["provider"]) == (model, named)
    # What no price list knows costs what opencode itself says.
    assert known or event["actual_cost_usd_micros"] == 10_000


def test_files_touched_tell_language_and_kind(collected):
    log = Session()
    log.prompt(0, "go on")
    for number, (name, given, told) in enumerate(
        [
            ("write", {"filePath": "/p/a.rs"}, {"exists": False}),
            ("edit", {"filePath": "/p/b.rs"}, {}),
            ("apply_patch", {"patchText": "*** Begin Patch\n*** Add File: c.rs\n+x\n*** Update File: d.rs\n*** End Patch"}, {}),
        ]
    ):
        message = log.answer(number, finish="tool-calls")
        log.tool(message, name, number + 0.2, number + 0.3, given, told)
    message = log.answer(5, finish="tool-calls")
    log.tool(message, "edit", 5.1, 5.2, {"filePath": "/p/x.py"}, status="error")
    log.answer(6)
    (event,) = events_of(collected(log))
    assert (event["language"], event["complexity"], event["task_type"]) == ("rust", "medium", "implementation")


def test_work_of_the_planning_agent_is_planning(collected):
    log = Session()
    log.prompt(0, "Implement the parser", agent="plan")
    log.answer(1)
    assert collected(log).tasks[0].task_type == "planning"
