"""Looking at a session while it runs finds what collecting it afterwards finds, each task once."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.transcripts import INSTANCE, LATER, RECORDINGS, Transcript, collect, test_data, tool

from mosaic_telemetry.collectors.events import to_event
from mosaic_telemetry.collectors.hook import Mark, read_session


def looks(path, texts, *, now_ms=0):
    """The findings of one look after each text that is added to a file, from the mark before."""
    mark = Mark()
    findings = []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    for text in texts:
        with path.open("ab") as file:
            file.write(text)
        finding = read_session(path, mark, now_ms=now_ms)
        mark = Mark.decode(finding.mark.encode())
        findings.append(finding)
    return findings


def long_session(tasks=6):
    log = Transcript()
    for number in range(tasks):
        log.prompt(100 * number, f"Fix bug {number}")
        log.bash(100 * number + 3, "pytest -q", failed=number % 2 == 1)
        log.answer(100 * number + 9, f"m{number}", output=50 + number)
    return log


def by_id(tasks):
    events = [to_event(task, INSTANCE).event for task in tasks]
    return {event.event_id: event for event in events}


def test_each_task_is_found_when_it_ends_and_never_again(tmp_path):
    lines = [f"{line}\n".encode() for line in long_session().lines]
    findings = looks(tmp_path / "s.jsonl", lines)
    assert [len(finding.tasks) for finding in findings] == [0, 0, 0, 1] * 6
    found = [task for finding in findings for task in finding.tasks]
    assert by_id(found) == by_id(collect(tmp_path).tasks)
    assert [finding.settled for finding in findings] == [False, False, False, True] * 6


def test_only_what_is_new_is_read(tmp_path):
    lines = [f"{line}\n".encode() for line in long_session(40).lines]
    path = tmp_path / "s.jsonl"
    findings = looks(path, [b"".join(lines[:-4]), b"".join(lines[-4:])])
    assert [len(finding.tasks) for finding in findings] == [39, 1]
    assert findings[1].read < path.stat().st_size / 10


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=8))
def test_wherever_the_file_stood_at_each_look_all_tasks_are_found_once(tmp_path_factory, cuts):
    path = tmp_path_factory.mktemp("looks") / "s.jsonl"
    log = long_session(4)
    log.prompt(1000, "Do it with a helper")
    log.answer(1002, "a1", tools=[tool("Bash", "t1", command="ls")])
    log.result(1003, "t1")
    log.add("system", 1004, subtype="compact_boundary", compactMetadata={"trigger": "auto"})
    log.answer(1005, "a2")
    text = "".join(f"{line}\n" for line in log.lines).encode()
    places = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    found = [task for finding in looks(path, [text[a:b] for a, b in zip([0, *places], places, strict=False)]) for task in finding.tasks]
    assert len({task.identity for task in found}) == len(found)
    whole = collect(path).tasks
    assert {task.identity: task.usage for task in found} == {task.identity: task.usage for task in whole}


def test_subagents_belong_to_their_task(tmp_path):
    log = Transcript()
    log.prompt(0, "Review it")
    log.answer(1, "a1", tools=[tool("Task", "t1", prompt="look")])
    helper = Transcript(session=log.session, agent="abc")
    helper.prompt(2, "look")
    helper.answer(5, "h1", output=77)
    helper.write(tmp_path / log.session / "subagents" / "agent-abc.jsonl")
    log.result(6, "t1", result={"agentId": "abc", "totalDurationMs": 3000})
    log.answer(8, "a2")
    path = log.write(tmp_path / f"{log.session}.jsonl")
    finding = read_session(path, Mark(), now_ms=0)
    assert [task.usage.output for task in finding.tasks] == [277]
    assert by_id(finding.tasks) == by_id(collect(tmp_path).tasks)


def test_a_session_that_is_gone_on_with_elsewhere_is_read_in_full(tmp_path):
    # A second program continues the session from a record of an earlier task.
    log = long_session(3)
    lines = [f"{line}\n".encode() for line in log.lines]
    stranger = dict(log.records[-1], uuid="00000000-0000-4000-8000-0000000000aa", parentUuid=log.records[1]["uuid"])
    stranger["message"] = dict(stranger["message"], id="late")
    path = tmp_path / "s.jsonl"
    more = Transcript(session=log.session, seed=9)
    more.prompt(900, "Next")
    more.answer(905, "n1")
    tail = [json.dumps(stranger).encode() + b"\n", *(f"{line}\n".encode() for line in more.lines)]
    first, second = looks(path, [b"".join(lines), b"".join(tail)])
    assert len(first.tasks) == 3
    assert [task.identity for task in second.tasks] == [more.records[0]["uuid"]]
    assert second.read > path.stat().st_size
    assert by_id(second.tasks).items() <= by_id(collect(tmp_path).tasks).items()


def test_a_window_that_shows_only_earlier_in_the_session_is_known_later(tmp_path):
    log = Transcript()
    usage = {"input_tokens": 10, "cache_read_input_tokens": 600_000, "cache_creation_input_tokens": 0, "output_tokens": 5}
    log.prompt(0, "First")
    log.answer(1, "a1", usage=usage)
    cut = len(log.lines)
    log.prompt(10, "Second")
    log.answer(11, "a2")
    lines = [f"{line}\n".encode() for line in log.lines]
    findings = looks(tmp_path / "s.jsonl", [b"".join(lines[:cut]), b"".join(lines[cut:])])
    assert by_id(task for finding in findings for task in finding.tasks) == by_id(collect(tmp_path).tasks)


def test_another_file_by_the_same_name_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "s.jsonl"
    (first,) = looks(path, ["".join(f"{line}\n" for line in long_session(2).lines).encode()])
    (tmp_path / "new").write_text("".join(f"{line}\n" for line in long_session(5).lines), encoding="utf-8")
    (tmp_path / "new").replace(path)
    assert len(read_session(path, first.mark, now_ms=0).tasks) == 5


def test_a_session_that_was_cut_short_is_read_again(tmp_path):
    path = tmp_path / "s.jsonl"
    (first,) = looks(path, ["".join(f"{line}\n" for line in long_session(5).lines).encode()])
    with path.open("r+b") as file:
        file.truncate(10)
    finding = read_session(path, first.mark, now_ms=0)
    assert (finding.tasks, finding.mark.offset) == ([], 0)


def test_lines_that_are_no_record_are_passed_over(tmp_path):
    lines = [f"{line}\n".encode() for line in long_session(3).lines]
    noise = [b"\x00\xff\n", b"[1]\n", b"\n", b'{"type":\n']
    mixed = [part for line in lines for part in (line, *noise)]
    findings = looks(tmp_path / "s.jsonl", [b"".join(mixed[:33]), b"".join(mixed[33:])])
    assert by_id(task for finding in findings for task in finding.tasks) == by_id(collect(tmp_path).tasks)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{", '{"offset": -1}', '{"offset": "1"}', '{"other": 1}', '{"done": 1}', "\x00"])
def test_a_mark_that_is_none_begins_anew(text):
    assert Mark.decode(text) == Mark()


def test_the_recordings_are_found_as_they_are_collected():
    for path in sorted(RECORDINGS.rglob("projects/*/*.jsonl")):
        assert by_id(read_session(path, Mark(), now_ms=LATER).tasks) == by_id(collect(path.parent).tasks)


def test_real_sessions_are_found_as_they_are_collected(tmp_path):
    folder = test_data("claude_code")
    counted = 0
    for path in sorted(folder.rglob("*.jsonl.gz"), key=lambda path: (path.stat().st_size, path)):
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        third = len(lines) // 3
        lone = tmp_path / path.name.removesuffix(".jsonl.gz") / path.name.removesuffix(".gz")
        findings = looks(lone, [b"".join(lines[:third]), b"".join(lines[third : 2 * third]), b"".join(lines[2 * third :])])
        found = [task for finding in findings for task in finding.tasks]
        assert {task.identity for task in found} == {task.identity for task in collect(lone, now_ms=0).tasks}, path
        counted += len(found)
        if counted >= 20:
            break
    assert counted >= 20
