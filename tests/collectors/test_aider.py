"""What aider writes and how it is taken: answers that belong together, histories beside logs, rounded counts."""

import json
from datetime import datetime

import pytest
from support.recordings import collect_from
from support.transcripts import START, events_of

SECOND = START // 1000


class Log:
    """An analytics log in the making."""

    def __init__(self):
        self.records = []
        self.add("launched", 0)

    def add(self, event, at, **properties):
        self.records.append({"event": event, "properties": properties, "user_id": "u", "time": SECOND + at})

    def send(self, start, end, read=3000, written=60, cost=0.01, model="gpt-5"):
        self.add("message_send_starting", start)
        self.add("message_send", end, main_model=model, prompt_tokens=read, completion_tokens=written, cost=cost)

    def write(self, folder, name="analytics.jsonl"):
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text("".join(json.dumps(record) + "\n" for record in self.records))
        return path


def history(folder, *lines, at=0):
    """A chat history in the local time of this machine, as aider writes it."""
    began = datetime.fromtimestamp(SECOND + at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    head = [f"# aider chat started at {began}", "> /bin/aider --auto-test --test-cmd pytest", "> Main model: openai/gpt-5 with diff edit format"]
    folder.mkdir(exist_ok=True)
    (folder / ".aider.chat.history.md").write_text("\n".join(["", *head, *lines, ""]))


def tokens(read="3.0k", written="60"):
    return f"> Tokens: {read} sent, {written} received. Cost: $0.01 message, $0.01 session."


def test_a_run_with_its_prompt_on_the_command_line_is_one_task(tmp_path):
    log = Log()
    log.send(1, 3)
    log.send(40, 42)  # the tests ran for so long, and failed
    log.add("exit", 50, reason="Completed --message")
    log.write(tmp_path)
    (task,) = collect_from("aider", tmp_path, now_ms=START + 60_000).tasks
    assert (task.usage.input, task.usage.output, task.price().micros) == (6000, 120, 20_000)


def test_in_a_conversation_only_what_follows_at_once_is_aiders_own_doing(tmp_path):
    log = Log()
    log.add("cli session", 0)
    log.send(1, 3)
    log.send(4, 6)
    log.send(30, 33)
    log.add("command_code", 34)
    log.send(34, 36)
    log.add("exit", 50)
    log.write(tmp_path)
    assert [len(task.calls) for task in collect_from("aider", tmp_path).tasks] == [2, 1, 1]


def test_the_history_beside_the_log_tells_prompts_model_files_and_checks(tmp_path):
    log = Log()
    log.add("cli session", 0)
    for start in (1, 40, 90):
        log.send(start, start + 2, model="openai/REDACTED")
    log.add("exit", 100)
    log.write(tmp_path)
    failed = ["> Applied edit to a.py", "> Attempt to fix test errors? (Y)es/(N)o [Yes]: y"]
    history(tmp_path, "#### Fix the bug", tokens(), *failed, tokens(), "> Applied edit to a.py", "", "#### /diff", "", "#### Add docs", tokens(), at=1)
    collection = collect_from("aider", tmp_path)
    assert [len(task.calls) for task in collection.tasks] == [2, 1]
    first, second = events_of(collection)
    assert (first["task_type"], first["language"], first["model"], first["provider"]) == ("debugging", "python", "openai/gpt-5", "openai")
    assert (first["outcome"], list(first["quality_gates_run"]), list(first["quality_gates_failed"])) == ("success", ["test"], [])
    assert (second["task_type"], list(second["quality_gates_run"])) == ("documentation", [])
    assert not any(task.unreliable for task in collection.tasks)


def test_a_check_that_failed_last_is_a_failure(tmp_path):
    history(tmp_path, "#### Fix it", tokens("812"), "> Applied edit to a.py", "> Attempt to fix test errors? (Y)es/(N)o [Yes]: n")
    (event,) = events_of(collect_from("aider", tmp_path))
    assert (event["outcome"], list(event["quality_gates_failed"])) == ("failure", ["test"])


@pytest.mark.parametrize(("read", "count", "unreliable"), [("3.0k", 3000, True), ("5,244", 5244, False), ("812", 812, False), ("1.5M", 1_500_000, True)])
def test_rounded_counts_of_a_history_alone_are_flagged(tmp_path, read, count, unreliable):
    history(tmp_path, "#### Fix it", tokens(read))
    (task,) = collect_from("aider", tmp_path).tasks
    assert (task.usage.input, task.unreliable) == (count, unreliable)


def test_a_history_of_another_run_is_not_mixed_in(tmp_path):
    log = Log()
    log.send(1, 3, model="gpt-5")
    log.add("exit", 4)
    log.write(tmp_path)
    history(tmp_path, "#### Fix it", tokens("812"), at=500)
    assert sorted(task.usage.input for task in collect_from("aider", tmp_path).tasks) == [812, 3000]


def test_an_earlier_state_of_a_log_changes_nothing(tmp_path):
    log = Log()
    log.send(1, 3)
    log.send(5, 7)
    log.add("exit", 9)
    log.write(tmp_path)
    log.records = log.records[:3]
    log.write(tmp_path, "analytics-earlier.jsonl")
    (task,) = collect_from("aider", tmp_path).tasks
    assert len(task.calls) == 2


def test_an_answer_that_never_came_is_a_failure(tmp_path):
    log = Log()
    log.send(1, 3)
    log.add("message_send_starting", 4)
    log.add("exit", 9)
    log.write(tmp_path)
    assert [event["outcome"] for event in events_of(collect_from("aider", tmp_path))] == ["failure"]
