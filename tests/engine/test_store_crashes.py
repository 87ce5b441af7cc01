"""What was acknowledged is there once, whatever is killed under load, and the cells are what a recount gives."""

import json
import os
import sys
import threading
import urllib.error
import uuid
from http.client import HTTPException

import pytest
from support.postgres import PostgresServer
from support.server import ServerProcess, create_instance
from support.waiting import wait_for

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.server.examples import EXAMPLES

ROUNDS = 50 if os.environ.get("MOSAIC_TELEMETRY_SOAK") else 2
SENDERS = 3
BATCH = 20


class Load:
    """Threads that send batches until told to stop; what was answered 202 stands in `acknowledged`."""

    def __init__(self, server, access):
        self.server, self.access = server, access
        self.acknowledged, self.statuses = [], set()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.send) for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def send(self):
        event = {**EXAMPLES["TaskCompletionEvent"], "instance_id": self.access.instance_id}
        while not self.stopped.is_set():
            events = [{**event, "event_id": str(uuid.uuid4())} for _ in range(BATCH)]
            try:
                status, answer = self.server.request("POST", "/v1/events/batch", {"events": events}, key=self.access.api_key)
            except (urllib.error.URLError, OSError, HTTPException, json.JSONDecodeError):
                self.stopped.wait(0.02)
                continue
            self.statuses.add(status)
            if status == 202:
                assert answer["accepted"] == BATCH
                self.acknowledged += [event["event_id"] for event in events]
            else:
                self.stopped.wait(0.02)

    def sent(self, batches):
        """Wait until so many more batches were acknowledged."""
        target = len(self.acknowledged) + batches * BATCH
        wait_for(lambda: len(self.acknowledged) >= target, 60, f"the acknowledgement of {batches} batches")

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def check(database, access, acknowledged):
    """Each acknowledged event stands there once, in the table and in the cells."""
    assert len(set(acknowledged)) == len(acknowledged)
    with open_engine(database) as engine:
        instance = engine.accounts.instance(uuid.UUID(access.instance_id))
        engine.roll_up()
        assert engine.verify() == []
        rows = engine._store.read_events(0, engine._store.horizon(), 10**7)
        assert {row.instance for row in rows} == {instance.number}
        # All are duplicates now: none was lost, and none is read twice.
        event = {**EXAMPLES["TaskCompletionEvent"], "instance_id": access.instance_id}
        for start in range(0, len(acknowledged), 100):
            body = {"events": [{**event, "event_id": event_id} for event_id in acknowledged[start : start + 100]]}
            new = engine.submit(instance, json.dumps(body).encode()).stored.result()
            assert not (engine._store.tells_duplicates and any(new))
        assert engine._store.read_events(0, engine._store.horizon(), 10**7) == rows


@pytest.mark.timeout(900)
def test_a_server_killed_under_load_loses_and_doubles_nothing(new_database):
    database = new_database()
    access, acknowledged = create_instance(database), []
    for number in range(ROUNDS):
        with ServerProcess(database) as server:
            load = Load(server, access)
            load.sent(5 + number % 7)
            server.kill()
            load.stop()
        acknowledged += load.acknowledged
        if number % 10 == 0:
            check(database, access, acknowledged)
    check(database, access, acknowledged)
    sys.stdout.write(f"\n{ROUNDS} kills of a server: {len(acknowledged):,} acknowledged, 0 lost, 0 twice; cells equal to a recount\n")


@pytest.mark.timeout(900)
def test_a_postgres_killed_or_stopped_under_load_is_a_503_until_it_is_back():
    postgres = PostgresServer(durable=True)
    try:
        database = postgres.database()
        access = create_instance(database)
        with ServerProcess(database) as server:
            load = Load(server, access)
            for number in range(ROUNDS):
                load.sent(5)
                load.statuses.clear()
                (postgres.kill if number % 2 == 0 else postgres.stop)()
                wait_for(lambda: 503 in load.statuses, 30, "a 503")
                assert server.request("GET", "/readyz")[0] == 503
                assert server.request("GET", "/healthz")[0] == 200
                postgres.start()
                wait_for(lambda: server.request("GET", "/readyz")[0] == 200, 30, "the server's recovery")
                load.sent(5)
            load.stop()
            assert load.statuses <= {202, 503}
            assert server.stop() == 0
        check(database, access, load.acknowledged)
    finally:
        postgres.close()
