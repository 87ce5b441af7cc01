"""What was acknowledged survives SIGKILL, and is counted once."""

import contextlib
import http.client
import json
import signal
import threading
import time
from pathlib import Path

import apsw
import pytest

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.forecast import Cell

ROUNDS = 4
QUERY = {"task_type": "refactoring", "model": "gpt-5", "provider": "openai", "complexity": "low"}


def load(server, acknowledged, sent, stop):
    """Send batches until the server dies; note what it acknowledged."""
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(server.connect()) as connection:
        while not stop.is_set():
            batch = [server.event(**QUERY) for _ in range(20)]
            sent.extend(event["event_id"] for event in batch)
            connection.request("POST", "/v1/events/batch", json.dumps({"events": batch}), server.key)
            answer = connection.getresponse()
            results = json.loads(answer.read())["results"]
            acknowledged.extend(result["event_id"] for result in results if result["status"] == "accepted")


def test_sigkill_under_load_loses_nothing_acknowledged_and_counts_nothing_twice(own_server):
    acknowledged, sent = [], []
    for number in range(ROUNDS):
        stop = threading.Event()
        before = len(acknowledged)
        threads = [threading.Thread(target=load, args=(own_server, acknowledged, sent, stop)) for _ in range(4)]
        for thread in threads:
            thread.start()
        # Each round is killed at another point of the work: the roll-up runs about ten times a second.
        deadline = time.monotonic() + 30
        while len(acknowledged) < before + 100 + 130 * number:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        own_server.process.send_signal(signal.SIGKILL)
        own_server.process.communicate()
        stop.set()
        for thread in threads:
            thread.join()
        own_server.start()
    assert len(acknowledged) > ROUNDS * 100

    stored = rows(own_server.database, "SELECT event_id FROM events")
    ids = [row[0].hex() for row in stored]
    assert len(ids) == len(set(ids))
    assert {event_id.replace("-", "") for event_id in acknowledged} <= set(ids) <= {event_id.replace("-", "") for event_id in sent}

    deadline = time.monotonic() + 5
    while own_server.predict(**QUERY)["metadata"]["sample_size"] != len(ids):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for (data,) in rows(own_server.database, "SELECT data FROM cells"):
        cell = Cell.from_bytes(data)
        assert cell.events == cell.duration_ms.total == len(ids)
    assert rows(own_server.database, "SELECT sum(events) FROM daily_totals") == [(len(ids),)]
    with open_engine(own_server.database) as engine:
        assert engine.verify() == []


def test_events_that_were_not_counted_when_the_process_died_are_counted_by_the_next(own_server):
    own_server.submit(*(own_server.event(**QUERY) for _ in range(50)))
    own_server.process.send_signal(signal.SIGKILL)
    own_server.process.communicate()
    with open_engine(own_server.database) as engine:
        engine.roll_up()
        assert engine.verify() == []
    assert set(rows(own_server.database, "SELECT events FROM shares")) == {(50,)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_graceful_stop_finishes_what_was_accepted_and_exits_with_0(own_server, number):
    acknowledged, sent, stop = [], [], threading.Event()
    thread = threading.Thread(target=load, args=(own_server, acknowledged, sent, stop))
    thread.start()
    deadline = time.monotonic() + 30
    while len(acknowledged) < 200:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    code, errors = own_server.stop(number)
    stop.set()
    thread.join()
    assert (code, errors) == (0, "")
    assert not Path(f"{own_server.database}-wal").exists(), "the last connection was not closed"
    assert {row[0].hex() for row in rows(own_server.database, "SELECT event_id FROM events")} >= {event_id.replace("-", "") for event_id in acknowledged}
    with open_engine(own_server.database) as engine:
        engine.roll_up()
        assert engine.verify() == []
    assert rows(own_server.database, "SELECT (SELECT max(sequence) FROM events) - counted FROM cell_state") == [(0,)]


def rows(path, query):
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
