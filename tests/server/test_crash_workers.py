"""With several workers: whichever process is killed when, nothing acknowledged is lost and nothing is counted twice."""

import contextlib
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
import uuid

import apsw
import pytest

from mosaic_telemetry.engine import open_engine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SOAK = bool(os.environ.get("MOSAIC_TELEMETRY_SOAK"))
ROUNDS = 50 if SOAK else 6
SENDERS = 4
MODELS = ["gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro"]


class Load:
    """Clients that send batches, some of them twice, over connections that break; what was acknowledged is noted."""

    def __init__(self, server):
        self._server = server
        self._stop = threading.Event()
        self.sent = set()
        self.acknowledged = []
        self._threads = [threading.Thread(target=self._send, args=(seed,)) for seed in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, seed):
        rng = random.Random(seed)
        batch = []
        while not self._stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(self._server.connect()) as connection:
                while not self._stop.is_set():
                    if not batch or rng.random() < 0.9:  # else the last one again: as a client does that heard no answer
                        batch = [self._server.event(model=rng.choice(MODELS)) for _ in range(rng.choice([1, 20, 100]))]
                        self.sent.update(event["event_id"] for event in batch)
                    connection.request("POST", "/v1/events/batch", json.dumps({"events": batch}), self._server.key)
                    answer = connection.getresponse()
                    body = json.loads(answer.read())
                    if answer.status == 202:
                        self.acknowledged.extend(result["event_id"] for result in body["results"] if result["status"] == "accepted")
            time.sleep(0.01)


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.timeout(900 if SOAK else 120)
def test_sigkill_of_any_process_under_load(own_server):
    own_server.stop()
    own_server.start("--workers", "2")
    load = Load(own_server)
    rng = random.Random(1)
    try:
        for number in range(ROUNDS):
            wanted = len(load.acknowledged) + rng.randrange(200, 1500)  # each round ends at another point of the work
            eventually(lambda wanted=wanted: len(load.acknowledged) >= wanted)
            children = own_server.children()
            if number % 3 < 2:
                os.kill(rng.choice(children[:2] if number % 3 else children[2:]), signal.SIGKILL)  # a worker, or the keeper
                eventually(lambda: len(own_server.children()) == 3)
            else:
                for pid in (own_server.process.pid, *children):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                own_server.process.communicate()
                own_server.start("--workers", "2")
    finally:
        load.stop()
        own_server.stop()

    connection = apsw.Connection(str(own_server.database))
    stored = [str(uuid.UUID(bytes=row[0])) for row in connection.execute("SELECT event_id FROM events")]
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()
    assert len(load.acknowledged) == len(set(load.acknowledged)), "an event was acknowledged as new twice"
    assert len(stored) == len(set(stored))
    assert set(load.acknowledged) <= set(stored) <= load.sent
    with open_engine(own_server.database) as engine:
        engine.roll_up()
        assert engine.verify() == []
    if SOAK:
        sys.stdout.write(f"{ROUNDS} kills: {len(load.acknowledged):,} acknowledged, {len(stored):,} stored, 0 lost, 0 twice; cells equal to a recount\n")
