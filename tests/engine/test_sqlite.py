import os
import shutil
import sqlite3
import subprocess
import sys
import time

import apsw
import pytest

from mosaic_telemetry.engine import DatabaseBusyError, DatabaseError, open_engine
from mosaic_telemetry.engine.store.sqlite import SqliteStore
from mosaic_telemetry.engine.store.sqlite.migrations import STEPS
from mosaic_telemetry.schema import PredictionQuery, from_dict

QUERY = {"task_type": "debugging", "model": "gpt-5", "provider": "openai", "complexity": "high"}


@pytest.fixture
def database(tmp_path):
    return tmp_path / "telemetry.db"


def opened(path):
    with pytest.raises(DatabaseError) as caught, open_engine(path):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_directory_is_no_database(tmp_path):
    assert f"cannot open the database {tmp_path}" in opened(tmp_path)


def test_a_directory_that_is_missing_is_named(tmp_path):
    assert f"the directory {tmp_path / 'none'} does not exist" in opened(tmp_path / "none" / "t.db")


def test_a_directory_that_is_missing_is_made_on_request(tmp_path):
    path = tmp_path / "a" / "b" / "t.db"
    with open_engine(path, make_directory=True):
        pass
    assert path.exists()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_path_below_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "does not exist" in opened(tmp_path / "file" / "t.db")
    with pytest.raises(DatabaseError, match="cannot make the directory"), open_engine(tmp_path / "file" / "t.db", make_directory=True):
        pass


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk\n" * 100)
    assert "is not a database" in opened(path)
    assert path.read_text().startswith("remember")


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE songs (title TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    assert "another program" in opened(path)
    assert path.read_bytes() == before


def test_a_newer_database_is_refused(house):
    house.engine.close()
    connection = apsw.Connection(str(house.path))
    connection.pragma("user_version", len(STEPS) + 1)
    connection.close()
    assert "newer mosaic-telemetry" in opened(house.path)


def test_events_survive_closing_and_are_still_duplicates_afterwards(house, make_event):
    event = make_event(house.instance.instance_id)
    body = b'{"events": [' + str(event).replace("'", '"').replace("True", "true").encode() + b"]}"
    assert house.engine.submit(house.instance, body).stored.result() == [True]
    house.engine.close()
    with open_engine(house.path) as again:
        assert again.submit(house.instance, body).stored.result() == [False]


def test_several_processes_may_make_one_database_at_once(tmp_path):
    program = "import sys; from mosaic_telemetry.engine import open_engine\nwith open_engine(sys.argv[1]) as engine: engine.create_instance()"
    path = tmp_path / "t.db"
    children = [subprocess.Popen([sys.executable, "-c", program, str(path)], stderr=subprocess.PIPE) for _ in range(4)]
    assert [(child.communicate()[1], child.returncode) for child in children] == [(b"", 0)] * 4
    with open_engine(path) as engine:
        assert len(engine.accounts.instances()) == 4


def test_a_job_that_fails_takes_no_other_with_it(tmp_path):
    store = SqliteStore(tmp_path / "t.db")
    writer = store._writer

    def create(connection):
        connection.execute("CREATE TABLE kept (x)")
        return "made"

    def fail(connection):
        connection.execute("CREATE TABLE gone (x)")
        raise ZeroDivisionError

    # While this one runs, those after it come to wait together, and so share a transaction.
    slow = writer.submit(
        lambda connection: connection.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT sum(i) FROM n").get
    )
    results = [writer.submit(job) for job in (create, fail, lambda connection: connection.execute("SELECT count(*) FROM kept").get)]
    assert slow.result() > 0
    assert results[0].result() == "made"
    with pytest.raises(ZeroDivisionError):
        results[1].result()
    assert results[2].result() == 0
    store.close()
    assert "gone" not in {row[0] for row in sqlite3.connect(tmp_path / "t.db").execute("SELECT name FROM sqlite_master")}


def test_a_full_database_fails_in_words_and_works_again_when_there_is_room(house):
    writer = house.engine._store._writer
    pages = writer.submit(lambda connection: connection.pragma("page_count")).result()
    writer.submit(lambda connection: connection.pragma("max_page_count", pages)).result()
    with pytest.raises(DatabaseBusyError, match="cannot be used at the moment"):
        house.report(QUERY, count=500)
    writer.submit(lambda connection: connection.pragma("max_page_count", 1_000_000)).result()
    assert house.report(QUERY, count=500).accepted == 500
    house.engine.roll_up()
    assert house.engine.predict([from_dict(PredictionQuery, QUERY)])[0].metadata.sample_size == 500


def test_a_closed_store_says_so(house):
    house.engine.close()
    house.engine.close()
    with pytest.raises(DatabaseError, match="is closed"):
        house.engine.create_instance()


def test_what_another_process_left_uncounted_is_counted(house):
    """A process that was killed between its commit and its roll-up, seen from one that runs beside it."""
    house.report(QUERY, count=5)
    house.engine.roll_up()
    beside = apsw.Connection(str(house.path))
    columns = [row[1] for row in beside.execute("PRAGMA table_info(events)") if row[1] not in {"sequence", "event_id"}]
    names = ", ".join(columns)
    # Several times: the first may be seen by a roll-up that was still due for the events above.
    for expected in (8, 11, 14, 17):
        beside.execute(f"INSERT INTO events (event_id, {names}) SELECT randomblob(16), {names} FROM events LIMIT 3")
        deadline = time.monotonic() + 10
        while (size := house.engine.predict([from_dict(PredictionQuery, QUERY)])[0].metadata.sample_size) != expected:
            assert time.monotonic() < deadline, size
            time.sleep(0.01)
    beside.close()


def test_a_new_database_is_for_this_user_alone(tmp_path):
    previous = os.umask(0o022)
    try:
        with open_engine(tmp_path / "new.db") as engine:
            engine.create_instance("one")
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(previous)
    assert modes["new.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_a_database_that_may_only_be_read_is_refused_in_one_line(tmp_path):
    """As a user whom permissions bind: for root, a process without its capabilities."""
    database = tmp_path / "old.db"
    with open_engine(database):
        pass
    for path in tmp_path.iterdir():
        path.chmod(0o444)
    tmp_path.chmod(0o555)
    code = f"from mosaic_telemetry.engine import open_engine\nwith open_engine({str(database)!r}):\n    print('opened')"
    bound = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    if bound and shutil.which("setpriv") is None:
        pytest.skip("root, and no setpriv to give up its capabilities")
    done = subprocess.run([*bound, sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    tmp_path.chmod(0o755)
    assert "opened" not in done.stdout
    assert done.stderr.splitlines()[-1].endswith("is it a directory, or may this user not write there?")
