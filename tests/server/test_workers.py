"""Several processes on one database: all of them serve, none outlives the others, and one that dies is replaced."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import apsw
import pytest

from mosaic_telemetry.engine import open_engine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

WORKERS = 2
QUERY = {"task_type": "refactoring", "model": "gpt-5", "provider": "openai", "complexity": "low"}


@pytest.fixture
def workers(own_server):
    """A server with two workers and a keeper, which the test may kill."""
    own_server.stop()
    own_server.start("--workers", str(WORKERS))
    pids = own_server.children()
    yield own_server
    for pid in (*pids, *(own_server.children() if own_server.process.poll() is None else [])):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def eventually(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid):
    """Whether a process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_all_workers_answer_and_what_any_of_them_takes_shows_within_a_second(workers):
    assert len(workers.children()) == WORKERS + 1
    for _ in range(20):
        assert workers.submit(workers.event(**QUERY))[1]["accepted"] == 1
    accepted = time.monotonic()
    eventually(lambda: workers.predict(**QUERY)["metadata"]["sample_size"] == 20, 10)
    assert time.monotonic() - accepted < 5  # 1 s is promised on a quiet machine


def test_a_duplicate_is_one_whichever_worker_gets_it(workers):
    event = workers.event()
    verdicts = [workers.submit(event)[1]["accepted"] for _ in range(12)]  # each on a connection of its own
    assert sorted(verdicts) == [0] * 11 + [1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_stops_all_of_them_and_counts_what_was_accepted(workers, number):
    pids = workers.children()
    for _ in range(10):
        workers.submit(*(workers.event(**QUERY) for _ in range(20)))
    assert workers.stop(number) == (0, "")
    assert not any(map(alive, pids))
    assert not Path(f"{workers.database}-wal").exists(), "a connection was not closed"
    connection = apsw.Connection(str(workers.database))
    assert connection.execute("SELECT (SELECT max(sequence) FROM events) - counted FROM cell_state").get == 0
    connection.close()
    with open_engine(workers.database) as engine:
        assert engine.verify() == []


def test_ctrl_c_in_a_terminal_reaches_all_at_once_and_stops_them_gracefully(own_server):
    own_server.stop()
    command = [sys.executable, "-m", "mosaic_telemetry", "serve", "--port", "0", "--database", str(own_server.database), "--workers", "2", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert json.loads(process.stdout.readline())["url"]
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_worker_that_dies_is_replaced_and_the_others_go_on(workers):
    before = set(workers.children())
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(workers.children()) == WORKERS + 1 and victim not in workers.children())
    eventually(lambda: all(answers(workers) for _ in range(20)))
    assert len(set(workers.children()) & before) == WORKERS
    code, errors = workers.stop()
    assert code == 0
    assert "SIGKILL" in errors
    assert "started anew" in errors


def answers(server):
    with contextlib.suppress(OSError):
        return server.ask("GET", "/readyz")[0] == 200
    return False


def test_the_keeper_is_replaced_too(workers):
    for pid in workers.children():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: answers(workers))
    eventually(lambda: len(workers.children()) == WORKERS + 1)
    workers.submit(*(workers.event(**QUERY) for _ in range(5)))
    eventually(lambda: workers.predict(**QUERY)["metadata"]["sample_size"] == 5)


def test_none_outlives_a_parent_that_is_killed(workers):
    pids = workers.children()
    workers.process.send_signal(signal.SIGKILL)
    workers.process.communicate()
    eventually(lambda: not any(map(alive, pids)))


def test_an_address_in_use_is_refused_although_workers_share_one(workers, tmp_path):
    command = [sys.executable, "-m", "mosaic_telemetry", "serve", "--workers", "2", "--port", str(workers.port), "--database", str(tmp_path / "other.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_idle_connection_does_not_hold_up_the_stop(workers):
    with socket.create_connection(("127.0.0.1", workers.port)):
        assert workers.stop() == (0, "")
