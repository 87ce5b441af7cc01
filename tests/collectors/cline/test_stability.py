"""The same tasks give the same events: growing, half-written, in however many copies; and damage stays where it is."""

import json
import random
import shutil

import pytest
from support.cline import CliSession, TaskFolder
from support.damage import bend, check_sane, spoil
from support.opencode import DEMO, LATER, collect, events_of, named
from support.transcripts import INSTANCE, Heard

from mosaic_telemetry.collectors import to_event
from mosaic_telemetry.schema import TaskCompletionEvent, encode_event


def rich_task(seed, style="cline"):
    """A task folder with all that these have."""
    log = TaskFolder(f"17723556{seed:05}", style=style, shift=seed * 0.137)
    log.say(0, "task", "Fix the failing tests")
    log.command(1, "pytest -q && ruff check .", 1, "1 failed in 0.1s")
    log.ask(5, "tool", {"tool": "editedExistingFile", "path": "/home/someone/secret/a.py"})
    log.request(6)
    log.ask(7, "followup", {"question": "sure?"})
    log.say(50, "user_feedback", "yes")
    log.command(51, "pytest -q", 0, "3 passed in 0.1s")
    log.say(55, "condense_context", "")
    log.request(56)
    log.say(57, "completion_result", "done")
    log.say(100, "user_feedback", "Write the docs")
    log.request(101, cancelReason="user_cancelled", tokens=(10, 3, 1000, 200))
    log.say(102, "text", "half a")
    log.ask(900, "resume_task")
    return log


def rich_session(seed):
    log = CliSession(f"17723557{seed:05}_abcde", shift=seed * 0.137)
    log.prompt(0, "Fix the failing tests")
    log.command(1, "pytest -q", 1, "1 failed in 0.1s")
    log.answer(3, ("editor", {"command": "str_replace", "path": "/home/someone/secret/a.py"}))
    log.result(4, [{"success": True}])
    log.command(5, "pytest -q", 0)
    log.answer(7)
    log.prompt(100, "Write the docs")
    log.answer(101)
    log.info |= {"status": "completed", "ended_at": "2026-03-01T09:10:00.000Z"}
    return log


@pytest.fixture
def tree(tmp_path):
    data = tmp_path / "data"
    shutil.copytree(DEMO / "cline-2.18.0-classic" / "tasks", data / "tasks")
    shutil.copytree(DEMO / "cline-cli-3.0.65" / "sessions", data / "sessions")
    for seed in (1, 2):
        rich_task(seed, ("cline", "roo")[seed - 1]).write(data / "tasks")
        rich_session(seed).write(data / "sessions")
    return tmp_path


def encoded(collection):
    return [encode_event(to_event(task, INSTANCE).event) for task in collection.tasks]


def test_collecting_twice_in_any_order_gives_the_same_bytes(tree):
    once = encoded(collect(tree, "cline"))
    assert len(once) == len(set(once)) == 6 + 2 * 4
    files = list(named("cline").find(tree))
    for seed in range(3):
        random.Random(seed).shuffle(files)
        assert encoded(named("cline").collect(files, now_ms=LATER, watcher=Heard())) == once


def test_copies_and_earlier_states_under_other_names_report_nothing_twice(tree):
    once = encoded(collect(tree, "cline"))
    for kind in ("tasks", "sessions"):
        for folder in list((tree / "data" / kind).iterdir()):
            shutil.copytree(folder, folder.with_name(f"0 copy of {folder.name}"))
    for count, seed in ((5, 1), (9, 1), (12, 1)):
        earlier = rich_task(seed)
        earlier.name = f"earlier {count}"
        del earlier.messages[count:]
        earlier.write(tree / "data" / "tasks")
    assert encoded(collect(tree, "cline")) == once


def test_a_task_that_grows_reports_what_is_finished_and_keeps_it(tmp_path):
    for log in (rich_task(1), rich_session(1)):
        whole, finished = list(log.messages), set()
        for count in range(1, len(whole) + 1):
            log.messages = whole[:count]
            log.write(tmp_path / "tasks" if isinstance(log, TaskFolder) else tmp_path / "sessions")
            now = {event["event_id"] for event in events_of(collect(tmp_path, "cline", now_ms=whole[count - 1]["ts"] + 10_000))}
            assert finished <= now
            finished = now
    assert len(finished) >= 3


@pytest.mark.parametrize("seed", range(20))
def test_a_half_written_file_gives_what_it_holds(tmp_path, seed):
    rng = random.Random(seed)
    log, session = rich_task(1), rich_session(1)
    whole = encoded(collect(log.write(tmp_path / "tasks").parent, "cline")) + encoded(collect(session.write(tmp_path / "sessions").parent, "cline"))
    for path in (tmp_path / "tasks" / log.name / "ui_messages.json", tmp_path / "sessions" / session.name / f"{session.name}.messages.json"):
        data = path.read_bytes()
        path.write_bytes(data[: rng.randrange(len(data) * 9 // 10, len(data) - 1)])
    heard = Heard()
    found = collect(tmp_path, "cline", heard=heard)
    check_sane(found)
    assert found.skipped == len(heard.skipped) == 2
    assert all("damaged or half-written" in str(skipped) for skipped in heard.skipped)
    # The first of the two tasks in each stands before the cut.
    assert {whole[0], whole[2]} <= set(encoded(found))


def test_nothing_but_the_fields_of_the_contract_leaves(tree):
    secrets = ("someone", "secret", "/home", "calc", "a.py", "pytest", "Fix", "docs", "user", "workspace", "proj", "1772355", "abcde")
    for task in collect(tree, "cline").tasks:
        event = json.loads(encode_event(to_event(task, INSTANCE).event))
        assert set(event) == set(TaskCompletionEvent.__dataclass_fields__)
        texts = " ".join(value for value in event.values() if isinstance(value, str))
        assert not [secret for secret in secrets if secret in texts]


@pytest.mark.parametrize("seed", range(120))
def test_damage_never_raises_and_stays_where_it_is(tmp_path, seed):
    rng = random.Random(seed)
    healthy = tmp_path / "healthy"
    rich_task(1).write(healthy / "tasks")
    rich_session(1).write(healthy / "sessions")
    expected = encoded(collect(healthy, "cline"))
    hurt = [rich_task(2, rng.choice(["cline", "roo"])).write(healthy / "tasks"), rich_session(2).write(healthy / "sessions")]
    for folder in hurt:
        for path in sorted(folder.iterdir()):
            data = path.read_bytes()
            for _ in range(rng.randrange(1, 4)):
                data = json.dumps(bend(json.loads(data), rng)).encode() if rng.random() < 0.8 else data
            path.write_bytes(rng.choice([data, data, data, spoil(data, rng), spoil(data, rng), b"", b"[]", b"7", b"\xff\xfe", b"[" * 100_000]))
    collection = collect(healthy, "cline")
    check_sane(collection)
    assert set(expected) <= set(encoded(collection))
