"""The same sessions give the same events: live, in however many copies and forks; and damage stays where it is."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support.damage import bend, check_sane, spoil
from support.opencode import DEMO, LATER, Session, collect, events_of, named
from support.transcripts import INSTANCE, Heard

from mosaic_telemetry.collectors import to_event
from mosaic_telemetry.schema import TaskCompletionEvent, encode_event

WRITER = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA wal_autocheckpoint=0")
for line in sys.stdin:
    for statement in json.loads(line):
        connection.execute(statement)
    print("done", flush=True)
"""


def rich(seed):
    """A session with all that sessions have."""
    log = Session(seed, shift=seed * 0.137)
    log.prompt(0, "Fix the failing tests")
    log.bash(1, "pytest -q && ruff check .", 1, "1 failed in 0.1s")
    message = log.answer(5, finish="tool-calls")
    log.tool(message, "edit", 6, 6.2, {"filePath": "/home/someone/secret/a.py"})
    log.bash(8, "pytest -q", 0, "3 passed in 0.1s")
    log.compaction(11, auto=True)
    log.answer(14)
    log.prompt(100, "Write the docs")
    message = log.answer(102, finish="tool-calls")
    log.tool(message, "write", 103, 103.5, {"filePath": "README.md"}, {"exists": False})
    log.answer(104, finish=None, error={"name": "MessageAbortedError", "data": {}}, output=3)
    log.prompt(200, "Go on")
    log.answer(204, output=7)
    return log


def encoded(collection):
    return [encode_event(to_event(task, INSTANCE).event) for task in collection.tasks]


def everything(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}


# --- live ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def writer(tmp_path):
    """A program that has a database open in WAL mode: takes SQL statements, answers when they are executed."""
    path = rich(1).save(tmp_path / "opencode.db")
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def execute(*statements):
            process.stdin.write(json.dumps(statements) + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"

        yield path, execute
        process.kill()


def insert(log, message):
    data = {name: value for name, value in message.items() if name not in {"id", "sessionID"}}
    return f"INSERT INTO message VALUES ('{message['id']}', '{log.id}', {message['time']['created']}, '{json.dumps(data)}')"


def test_a_database_in_use_is_read_as_it_is_now_and_no_byte_of_it_changes(writer):
    path, execute = writer
    log = rich(1)
    log.prompt(300)
    execute(insert(log, log.messages[-1]))
    assert len(collect(path).tasks) == 3
    execute(insert(log, log.answer(301)))
    execute("BEGIN", "CREATE TABLE other (x)", "INSERT INTO other VALUES (1)")  # a write that is not finished
    before = everything(path.parent)
    assert set(before) == {"opencode.db", "opencode.db-shm", "opencode.db-wal"}
    assert len(collect(path.parent).tasks) == 4
    assert everything(path.parent) == before
    execute("COMMIT", "INSERT INTO other VALUES (2)")  # nor is the writer disturbed
    assert len(collect(path).tasks) == 4


@pytest.mark.parametrize("index", [True, False])
def test_a_database_left_by_a_killed_program_is_read_with_what_its_wal_holds(writer, tmp_path, index):
    path, execute = writer
    log = rich(1)
    log.prompt(300)
    execute(insert(log, log.messages[-1]), insert(log, log.answer(301)))
    left = tmp_path / "a folder?with#odd %20 signs"
    left.mkdir()
    for name in ("opencode.db", "opencode.db-wal", *(["opencode.db-shm"] if index else [])):
        shutil.copy(path.with_name(name), left / name)
    before = everything(left)
    assert len(collect(left).tasks) == 4
    assert everything(left) == before


def test_nothing_appears_beside_a_database_at_rest(tmp_path):
    shutil.copy(DEMO / "opencode-1.18.33" / "opencode.db", tmp_path)  # in WAL mode, like the original
    before = everything(tmp_path)
    assert len(collect(tmp_path).tasks) == 3
    assert everything(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_nobody_may_write_to_is_read(tmp_path):
    shutil.copy(DEMO / "opencode-1.18.33" / "opencode.db", tmp_path)
    tmp_path.chmod(0o500)
    assert len(collect(tmp_path).tasks) == 3


def test_a_session_that_grows_reports_what_is_finished_and_keeps_it(tmp_path):
    log = rich(1)
    finished = set()
    whole = list(log.messages), list(log.parts)
    for count in range(1, len(whole[0]) + 1):
        log.messages = whole[0][:count]
        ids = {message["id"] for message in log.messages}
        log.parts = [part for part in whole[1] if part["messageID"] in ids]
        log.save(tmp_path / "opencode.db")
        now = {event["event_id"] for event in events_of(collect(tmp_path, now_ms=log.messages[-1]["time"]["created"] + 10_000))}
        assert finished <= now
        finished = now
    assert len(finished) == 3


# --- copies and forks ----------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    for seed in (1, 2):
        rich(seed).save(tmp_path / "data" / "opencode.db")
    shutil.copytree(DEMO / "opencode-1.0.185-json" / "storage", tmp_path / "data" / "storage")
    return tmp_path / "data"


def test_collecting_twice_in_any_order_gives_the_same_bytes(tree):
    once = encoded(collect(tree))
    assert len(once) == len(set(once)) == 9
    files = list(named("opencode").find(tree))
    for seed in range(3):
        random.Random(seed).shuffle(files)
        assert encoded(named("opencode").collect(files, now_ms=LATER, watcher=Heard())) == once


def test_a_copy_an_earlier_state_and_the_older_files_of_a_session_change_nothing(tree):
    once = encoded(collect(tree))
    shutil.copy(tree / "opencode.db", tree / "opencode-copy.db")
    for seed in (1, 2):
        rich(seed).spread(tree / "storage")  # as after an update of opencode, which leaves them there
    earlier = rich(1)
    del earlier.messages[3:]
    earlier.messages[2] = {**earlier.messages[2], "finish": None, "tokens": {}, "time": {"created": earlier.messages[2]["time"]["created"]}}
    earlier.parts = [part for part in earlier.parts if part["messageID"] in {message["id"] for message in earlier.messages[:2]}]
    earlier.save(tree / "opencode-1.db")
    assert encoded(collect(tree)) == once


@pytest.mark.parametrize("upto", [1, 2, 4, 7, 9, 11, 13])
def test_a_fork_adds_only_its_own_tasks(tmp_path, upto):
    log = rich(1)
    alone = events_of(collect(log.save(tmp_path / "opencode.db")))
    for seed in (7, 8):
        fork = log.fork(seed, upto)
        fork.prompt(900 + seed, "Another way")
        fork.answer(905 + seed)
        fork.save(tmp_path / "opencode.db")
    both = events_of(collect(tmp_path))
    assert [event for event in both if event["timestamp"] < "2026-03-01T09:10"] == alone
    assert len(both) == len(alone) + 2


def test_a_fork_whose_original_is_gone_keeps_the_ids(tmp_path):
    log = rich(1)
    before = [event["event_id"] for event in events_of(collect(log.save(tmp_path / "a" / "opencode.db")))]
    fork = log.fork(7, len(log.messages))
    assert [event["event_id"] for event in events_of(collect(fork.save(tmp_path / "b" / "opencode.db")))] == before


def test_nothing_but_the_fields_of_the_contract_leaves(tree):
    secrets = ("someone", "secret", "/home", "calc", "a.py", "README", "pytest", "Fix", "docs", "user", "workspace", "proj", "ses_", "msg_")
    for task in collect(tree).tasks:
        event = json.loads(encode_event(to_event(task, INSTANCE).event))
        assert set(event) == set(TaskCompletionEvent.__dataclass_fields__)
        texts = " ".join(value for value in event.values() if isinstance(value, str))
        assert not [secret for secret in secrets if secret in texts]


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_record_in_a_database_never_raises_and_stays_where_it_is(tmp_path, seed):
    rng = random.Random(seed)
    healthy, victim = rich(1), rich(2)
    expected = encoded(collect(healthy.save(tmp_path / "a" / "opencode.db")))
    path = healthy.save(tmp_path / "b" / "opencode.db")
    victim.save(path)
    with sqlite3.connect(path) as connection:
        for table in ("message", "part"):
            for identity, data in connection.execute(f"SELECT id, data FROM {table} WHERE session_id = '{victim.id}'").fetchall():
                if rng.random() < 0.3:
                    bad = rng.choice([json.dumps(bend(json.loads(data), rng)), data[: rng.randrange(len(data))], b"\xff\xfe", 7, "[" * 100_000, "[]"])
                    connection.execute(f"UPDATE {table} SET data = ? WHERE id = ?", (bad, identity))
                elif rng.random() < 0.05:
                    connection.execute(f"DELETE FROM {table} WHERE id = ?", (identity,))
    connection.close()
    collection = collect(path)
    check_sane(collection)
    assert set(expected) <= set(encoded(collection))


# The last one damages the schema, so that SQLite quotes what is no text.
@pytest.mark.parametrize("seed", [*range(60), 1492])
def test_a_damaged_database_file_never_raises(tmp_path, seed):
    rng = random.Random(seed)
    path = rich(1).save(tmp_path / "opencode.db")
    path.write_bytes(spoil(path.read_bytes(), rng))
    (tmp_path / "storage").mkdir()
    healthy = encoded(collect(rich(2).spread(tmp_path / "storage")))
    collection = collect(tmp_path)
    check_sane(collection)
    assert set(healthy) <= set(encoded(collection))


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_never_raise_and_stay_where_they_are(tmp_path, seed):
    rng = random.Random(seed)
    healthy = encoded(collect(rich(1).spread(tmp_path / "healthy" / "storage")))
    storage = rich(1).spread(tmp_path / "storage")
    known = set(storage.rglob("*.json"))
    rich(2).spread(storage)
    for path in sorted(set(storage.rglob("*.json")) - known):
        if rng.random() < 0.25:
            data = path.read_bytes()
            path.write_bytes(rng.choice([json.dumps(bend(json.loads(data), rng)).encode(), spoil(data, rng), b"", b"[]", b"\xff"]))
    collection = collect(tmp_path)
    check_sane(collection)
    assert set(healthy) <= set(encoded(collection))


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"no database at all", b"\0" * 5000])
def test_what_is_no_database_is_named_and_skipped(tmp_path, content):
    path = Path(tmp_path / "opencode.db")
    path.write_bytes(content)
    heard = Heard()
    collection = collect(tmp_path, heard=heard)
    assert (list(collection.tasks), collection.skipped) == ([], 1)
    assert [skipped.path for skipped in heard.skipped] == [path]


def test_a_database_of_something_else_is_named_and_skipped(tmp_path):
    path = tmp_path / "opencode.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE message (id text)")
    connection.close()
    heard = Heard()
    assert collect(path, heard=heard).skipped == 1
    assert str(heard.skipped[0]) == f"{path}: has no table 'message' of sessions"
