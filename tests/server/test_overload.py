"""More than the server can do: the rest is refused at once, memory stays, and what was accepted is there."""

import http.client
import json
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

import apsw
import pytest

from mosaic_telemetry.engine import OverloadedError
from mosaic_telemetry.engine.room import Room


def test_room_is_for_so_many_and_one_batch_always_fits():
    room = Room(100)
    room.take(150)  # else it never could
    with pytest.raises(OverloadedError, match="150 events wait"):
        room.take(1)
    with pytest.raises(OverloadedError):
        room.check(1)
    room.give_back(150)
    room.check(150)
    room.take(60)
    room.check(40)
    for refuses in (room.check, room.take):
        with pytest.raises(OverloadedError, match="60 events wait"):
            refuses(41)
    room.take(40)
    room.give_back(100)
    room.check(150)


# A server whose database another process holds: nothing that is sent can be stored meanwhile.
HOLD = """
    import sys, apsw
    connection = apsw.Connection(sys.argv[1])
    connection.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.readline()
    connection.execute("ROLLBACK")
"""


def test_what_waits_is_bounded_the_rest_is_refused_at_once_and_nothing_accepted_is_lost(own_server):
    """While nothing can be stored, about 5,000 events wait; the batches beyond get a 503 that says when to come again."""
    batches = [[own_server.event() for _ in range(100)] for _ in range(80)]
    refused: list[tuple[float, http.client.HTTPMessage]] = []
    answered: Future = Future()
    holder = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLD), str(own_server.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    lock = threading.Lock()

    def send(batch):
        begin = time.monotonic()
        status, answer, headers = own_server.ask("POST", "/v1/events/batch", json.dumps({"events": batch}), own_server.key)
        if status == 503:
            with lock:
                refused.append((time.monotonic() - begin, headers))
                if len(refused) >= 20 and not answered.done():
                    answered.set_result(None)
        return status, answer

    with ThreadPoolExecutor(len(batches)) as pool:
        sent = [pool.submit(send, batch) for batch in batches]
        answered.result(timeout=60)  # refusals come while the others still wait
        assert own_server.ask("GET", "/healthz")[0] == 200
        holder.communicate("\n")
        results = [future.result() for future in sent]
    accepted = [batch for batch, (status, _) in zip(batches, results, strict=True) if status == 202]
    assert all(status in {202, 503} for status, _ in results)
    assert 20 <= len(accepted) <= 60
    assert all(answer["accepted"] == 100 for status, answer in results if status == 202)
    assert all("overloaded" in answer["error"] for status, answer in results if status == 503)
    assert all(int(headers["retry-after"]) >= 1 for _, headers in refused)
    connection = apsw.Connection(str(own_server.database))
    stored = {str(uuid.UUID(bytes=row[0])) for row in connection.execute("SELECT event_id FROM events")}
    connection.close()
    assert stored == {event["event_id"] for batch in accepted for event in batch}
    assert own_server.submit(own_server.event())[1]["accepted"] == 1
