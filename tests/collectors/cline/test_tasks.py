"""What becomes a task in task folders of Cline, Roo Code and Kilo Code, and where each number of it comes from."""

import pytest
from support.cline import TaskFolder
from support.opencode import collect, events_of, ms
from support.transcripts import START


def collected(tmp_path, *logs, name="cline", **options):
    for log in logs:
        log.write(tmp_path / "tasks")
    return collect(tmp_path, name, **options)


def simple(**options):
    log = TaskFolder(**options)
    log.say(0, "task", "Implement the parser")
    log.request(1)
    log.say(2, "text", "word")
    log.say(3, "completion_result", "done")
    return log


def test_a_task_goes_from_a_prompt_to_the_last_word_before_the_next(tmp_path):
    log = TaskFolder()
    log.say(0, "task", "Implement the parser")
    log.command(1, "pytest -q", 0)
    log.say(5, "completion_result", "done")
    log.ask(5.1, "completion_result")
    log.say(600, "user_feedback", "Write the docs")
    log.request(601)
    log.say(603, "completion_result", "done")
    first, second = collected(tmp_path, log).tasks
    assert (first.task_type, second.task_type) == ("implementation", "documentation")
    assert [len(task.calls) for task in (first, second)] == [2, 1]
    assert (first.usage.uncached_input, first.usage.cache_read, first.usage.cache_write, first.usage.output) == (20, 2000, 400, 200)
    assert (first.started_ms, first.ended_ms) == (ms(0), ms(5))
    assert (first.active_ms, second.active_ms) == (5000, 3000)
    assert dict(first.gates) == {"test": True}
    assert (first.outcome, first.provider, first.model) == ("success", "anthropic", "claude-sonnet-4-5")


def test_what_a_person_says_before_the_last_word_belongs_to_the_running_task(tmp_path):
    log = TaskFolder()
    log.say(0, "task", "Fix it")
    log.request(1)
    log.ask(2, "followup", {"question": "blue?"})
    log.say(900, "user_feedback", "yes")
    log.request(901)
    log.say(902, "completion_result", "done")
    (task,) = collected(tmp_path, log).tasks
    assert len(task.calls) == 2
    assert task.active_ms == 4000  # the quarter of an hour was the person's


@pytest.mark.parametrize(
    ("code", "output", "gates"), [(0, "", {"test": True}), (2, "", {"test": False}), (None, "", {}), (None, "3 passed in 0.1s", {"test": True})]
)
def test_the_exit_status_of_a_command_decides_its_gate(tmp_path, code, output, gates):
    log = TaskFolder()
    log.say(0, "task", "Fix it")
    log.command(1, "pytest -q", code, output)
    log.say(9, "completion_result", "done")
    assert dict(collected(tmp_path, log).tasks[0].gates) == gates


def test_each_of_several_commands_between_two_requests_has_its_own_result(tmp_path):
    log = TaskFolder(style="roo")
    log.say(0, "task", "Fix it")
    log.request(1)
    log.ask(2, "command", "pytest -q")
    log.ask(3, "command", "ruff check .")
    log.ask(4, "command", "mypy .")
    told = "[execute_command for 'pytest -q'] Result:\nExit code: 1\n\n[execute_command for 'ruff check .'] Result:\nExit code: 0\n"
    log.request(5, told + "\n[execute_command for 'mypy .'] Result:\nThe user denied this operation.")
    log.say(6, "completion_result", "done")
    assert dict(collected(tmp_path, log).tasks[0].gates) == {"test": False, "lint": True}


@pytest.mark.parametrize(
    ("options", "info", "tokens", "uncached"),
    [
        ({"provider": "anthropic"}, {}, (10, 5, 1000, 200), 10),
        ({"provider": "anthropic"}, {}, (1500, 5, 1000, 200), 1500),  # Cline subtracts, whatever the numbers
        ({"provider": "openai", "model": "gpt-5"}, {}, (1500, 5, 1000, 0), 500),
        ({"style": "roo"}, {"apiProtocol": "anthropic"}, (10, 5, 1000, 200), 10),  # older versions
        ({"style": "roo"}, {"apiProtocol": "anthropic"}, (1210, 5, 1000, 200), 10),  # newer ones
        ({"style": "roo", "model": "gpt-5"}, {"apiProtocol": "openai"}, (1500, 5, 1000, 0), 500),
    ],
)
def test_whether_the_input_includes_the_cache_is_told_by_extension_protocol_and_numbers(tmp_path, options, info, tokens, uncached):
    log = TaskFolder(**options)
    log.say(0, "task", "Fix it")
    log.request(1, tokens=tokens, **info)
    log.say(2, "completion_result", "done")
    (task,) = collected(tmp_path, log).tasks
    assert (task.usage.uncached_input, task.usage.cache_read, task.usage.cache_write, task.usage.output) == (uncached, *tokens[2:], tokens[1])


@pytest.mark.parametrize(
    ("options", "info", "provider"),
    [
        ({"provider": "openrouter", "model": "anthropic/claude-sonnet-4.5"}, {}, "openrouter"),
        ({"provider": "openai", "model": "qwen3-coder"}, {}, "custom"),
        ({"provider": "openai-native", "model": "gpt-5"}, {}, "openai"),
        ({"provider": "bedrock"}, {}, "custom"),
        ({"provider": "ollama", "model": "qwen3"}, {}, "ollama"),
        ({"style": "roo"}, {}, "anthropic"),
        ({"style": "roo", "model": "anthropic/claude-sonnet-4.5"}, {}, "openrouter"),
        ({"style": "roo", "model": "anthropic/claude-sonnet-4.5"}, {"inferenceProvider": "Google Vertex"}, "google"),
        ({"style": "roo", "model": "house-model"}, {"apiProtocol": "openai"}, "unknown"),
    ],
)
def test_provider_is_who_served_the_model(tmp_path, options, info, provider):
    log = TaskFolder(**options)
    log.say(0, "task", "Fix it")
    log.request(1, **info)
    log.say(2, "completion_result", "done")
    (event,) = events_of(collected(tmp_path, log))
    assert (event["model"], event["provider"]) == (log.model, provider)


def test_older_versions_list_their_models_beside_the_task(tmp_path):
    log = simple()
    for message in log.messages:
        message.pop("modelInfo", None)
    folder = log.write(tmp_path / "tasks")
    (folder / "task_metadata.json").write_text(f'{{"model_usage": [{{"ts": {ms(0)}, "model_id": "gpt-5", "model_provider_id": "openrouter"}}]}}')
    (event,) = events_of(collect(tmp_path, "cline"))
    assert (event["model"], event["provider"]) == ("gpt-5", "openrouter")


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (lambda log: log.say(5, "completion_result", "done"), "success"),
        (lambda log: log.ask(5, "plan_mode_respond", {"response": "a plan"}), "success"),
        (lambda log: log.ask(5, "api_req_failed", "Overloaded"), "failure"),
        (lambda log: log.ask(5, "api_req_failed", "prompt is too long"), "timeout"),
        (lambda log: log.request(5, cancelReason="user_cancelled"), "partial"),
        (lambda log: log.request(5, cancelReason="retries_exhausted"), "failure"),
        (lambda log: log.say(5, "text", "and so on"), "partial"),
    ],
)
def test_how_a_task_ends(tmp_path, ending, outcome):
    log = TaskFolder()
    log.say(0, "task", "Fix it")
    log.command(1, "pytest", 0)
    ending(log)
    assert collected(tmp_path, log).tasks[0].outcome == outcome


def test_a_running_task_is_reported_when_it_is_finished(tmp_path):
    log = TaskFolder()
    log.say(0, "task", "Fix it")
    log.request(1)
    log.say(2, "text", "word")
    log.say(2.5, "text", "wor", partial=True)
    early = collected(tmp_path, log, now_ms=START + 60_000)
    assert (len(early.tasks), early.running) == (0, 1)
    assert len(collected(tmp_path, log, now_ms=START + 3_700_000).tasks) == 1  # nothing for an hour
    log.say(6, "completion_result", "done")
    done = collected(tmp_path, log, now_ms=START + 60_000)
    assert (len(done.tasks), done.running) == (1, 0)
    log.ask(90_000, "resume_completed_task")  # opened again, which is no work
    assert collected(tmp_path, log).tasks == done.tasks


def test_waiting_for_permission_is_no_work(tmp_path):
    log = TaskFolder()
    log.say(0, "task", "Fix it")
    log.request(1)
    log.ask(3, "tool", {"tool": "editedExistingFile", "path": "a.py"})
    log.request(3603)  # an hour until it was permitted
    log.ask(3605, "command", "make")
    log.request(13605)
    log.say(13607, "completion_result", "done")
    assert collected(tmp_path, log).tasks[0].active_ms == (3 + 5 + 2 + 125 + 2) * 1000


def test_a_subtask_of_roo_belongs_to_the_task_that_started_it(tmp_path):
    log = simple(style="roo", name="parent")
    log.messages[2:2] = [dict(log.messages[2])]
    child = TaskFolder("child", style="roo", shift=1.2)
    child.parent = "parent"
    child.say(0, "task", "look")
    child.request(0.1, tokens=(10, 7, 1000, 200))
    child.say(0.5, "completion_result", "found")
    lost = TaskFolder("lost", style="roo", shift=1.3)
    lost.parent = "gone"
    lost.say(0, "task", "look")
    lost.request(0.1, tokens=(10, 9, 1000, 200))
    collection = collected(tmp_path, log, child, lost)
    (task,) = collection.tasks
    assert [(call.usage.output, call.subagent) for call in task.calls] == [(100, False), (7, True)]
    assert [call.usage.output for call in collection.outside] == [9]


def test_what_subagents_of_cline_used_counts(tmp_path):
    log = simple()
    log.messages.insert(2, log.say(1.5, "subagent_usage", {"source": "subagents", "tokensIn": 5, "tokensOut": 8, "cacheReads": 0, "cacheWrites": 0}))
    log.messages.pop()
    (task,) = collected(tmp_path, log).tasks
    assert [(call.usage.output, call.subagent) for call in task.calls] == [(100, False), (8, True)]


def test_an_answer_without_counts_makes_the_task_unreliable(tmp_path):
    log = TaskFolder()
    log.say(0, "task", "Fix it")
    log.request(1)
    log.say(2, "text", "word")
    log.request(3, tokens=(0, 0, 0, 0))  # nothing came back
    log.request(4)
    log.say(5, "completion_result", "done")
    assert [task.unreliable for task in collected(tmp_path, log).tasks] == [False]
    log.messages.insert(4, log.say(3.5, "text", "half a"))
    log.messages.pop()
    assert [task.unreliable for task in collected(tmp_path, log).tasks] == [True]


def test_files_touched_and_compactions(tmp_path):
    log = TaskFolder()
    log.say(0, "task", "go on")
    log.request(1)
    for number, (name, path) in enumerate([("newFileCreated", "a.rs"), ("editedExistingFile", "b.rs"), ("appliedDiff", "c.rs"), ("readFile", "d.py")]):
        log.say(2 + number, "tool", {"tool": name, "path": path})
    log.say(7, "condense_context", "")
    log.say(8, "completion_result", "done")
    (event,) = events_of(collected(tmp_path, log))
    assert (event["language"], event["complexity"], event["task_type"], event["context_compactions"]) == ("rust", "medium", "implementation", 1)


@pytest.mark.parametrize("inner", [".", "globalStorage/saoudrizwan.claude-dev", "User/globalStorage/rooveterinaryinc.roo-cline", "data"])
def test_tasks_are_found_from_the_editors_folder_down_to_one_file(tmp_path, inner):
    folder = simple().write(tmp_path / inner / "tasks")
    other = tmp_path / inner / "checkpoints" / "tasks" / "x"
    other.mkdir(parents=True)
    (other / "ui_messages.json").write_text("[]")
    for place in (tmp_path, tmp_path / inner, folder.parent, folder, folder / "ui_messages.json"):
        assert len(collect(place, "cline").tasks) == 1


def test_tasks_of_the_kilo_code_extension_are_kilos(tmp_path):
    storage = tmp_path / "User" / "globalStorage"
    simple(name="1", style="roo").write(storage / "kilocode.kilo-code" / "tasks")
    simple(name="2", shift=0.3).write(storage / "saoudrizwan.claude-dev" / "tasks")
    (kilo,) = events_of(collect(tmp_path, "kilo"))
    (cline,) = events_of(collect(tmp_path, "cline"))
    assert (kilo["harness"], cline["harness"]) == ("kilo_code", "custom")
    assert events_of(collect(storage / "kilocode.kilo-code" / "tasks" / "1" / "ui_messages.json", "kilo")) == [kilo]
