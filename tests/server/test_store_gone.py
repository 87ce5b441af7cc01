"""A database file that goes while a server uses it: nothing is acknowledged that nobody will find again."""

import os
import shutil
import signal
from contextlib import suppress

import pytest
from support.waiting import wait_for

from mosaic_telemetry.engine import open_engine


def ready(server):
    return server.ask("GET", "/readyz")[0]


def test_while_the_file_is_moved_away_nothing_is_taken_and_when_it_is_back_all_goes_on(own_server, tmp_path):
    assert own_server.submit(own_server.event())[0] == 202
    away = tmp_path / "away.db"
    own_server.database.replace(away)
    status, answer = own_server.submit(own_server.event())
    assert status == 503
    assert str(tmp_path) not in answer["error"]
    assert ready(own_server) == 503
    assert own_server.ask("GET", "/healthz")[0] == 200
    assert not own_server.database.exists()
    away.replace(own_server.database)
    assert ready(own_server) == 200
    kept = own_server.event()
    assert own_server.submit(kept)[1]["accepted"] == 1
    code, log = own_server.stop()
    assert code == 0
    assert f"the database {own_server.database} was deleted or moved away while in use; put it back" in log
    own_server.start()
    assert own_server.submit(kept)[1]["accepted"] == 0  # a duplicate
    with open_engine(own_server.database) as engine:
        assert not engine.verify()


@pytest.mark.parametrize("workers", [1, 2])
def test_another_file_in_its_place_is_used_after_a_restart_alone(own_server, tmp_path, workers):
    own_server.stop()
    copy = tmp_path / "copy.db"
    shutil.copy(own_server.database, copy)
    own_server.start("--workers", str(workers))
    copy.replace(own_server.database)
    wait_for(lambda: ready(own_server) == 503, 10, "the server's noticing")
    assert own_server.submit(own_server.event())[0] == 503
    assert "another file was put in the place of the database" in own_server.stop()[1]
    own_server.start()
    assert own_server.submit(own_server.event())[0] == 202


@pytest.mark.parametrize("workers", [1, 2])
def test_the_file_of_commits_is_missed_too_and_a_stop_saves_what_it_held(own_server, workers):
    """A kill would lose it: it has no name any more."""
    own_server.stop()
    own_server.start("--workers", str(workers))
    kept = own_server.event()
    assert own_server.submit(kept)[1]["accepted"] == 1
    own_server.database.with_name(f"{own_server.database.name}-wal").unlink()
    assert own_server.submit(own_server.event())[0] == 503
    wait_for(lambda: ready(own_server) == 503, 10, "the server's noticing")
    code, log = own_server.stop()
    assert code == 0
    assert f"the file {own_server.database}-wal was deleted while in use" in log
    own_server.start()
    status, answer = own_server.submit(kept, own_server.event())
    assert (status, answer["accepted"], answer["rejected"]) == (202, 1, 1)
    with open_engine(own_server.database) as engine:
        assert not engine.verify()


def test_a_worker_that_is_started_anew_makes_no_new_file(own_server, tmp_path):
    own_server.stop()
    own_server.start("--workers", "2")
    before = own_server.children()
    own_server.database.replace(tmp_path / "away.db")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: (children := own_server.children()) and not set(children) & set(before), 30, "new processes")
    wait_for(lambda: not own_server.children(), 30, "their end, since there is no database")
    assert not own_server.database.exists()
    (tmp_path / "away.db").replace(own_server.database)

    def answers():
        with suppress(OSError):
            return ready(own_server) == 200 and len(own_server.children()) == len(before)
        return False

    wait_for(answers, 60, "the server's recovery")
    assert own_server.submit(own_server.event())[0] == 202
    code, log = own_server.stop()
    assert code == 0
    assert f"worker 1 stopped: the database {own_server.database} was deleted or moved away" in log
    assert "Traceback" not in log
