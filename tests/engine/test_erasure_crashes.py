"""An erasure that is killed: the cells are right at every moment, and asked again it comes to what never was."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing, suppress
from http.client import HTTPException

import pytest
from support.server import ServerProcess, create_instance
from support.waiting import wait_for

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.keeping import Keeper
from mosaic_telemetry.engine.recount import differences
from mosaic_telemetry.engine.store import StoredEvent
from mosaic_telemetry.engine.store.opening import open_store
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

HONEST, LEAVING = 300, 33_000  # the latter are three changes of the cells
STORES = [("sqlite", False), ("sqlite", True), ("postgres", True)]
if os.environ.get("MOSAIC_TELEMETRY_SOAK"):
    STORES += [("postgres", False), ("clickhouse", False), ("clickhouse", True)]

KILLED = """
import os, signal, sys
from mosaic_telemetry.engine.keeping import Keeper
from mosaic_telemetry.engine.store.opening import open_store

class Killed:
    '''A store whose process is killed before, while or after the first change is made.'''

    def __getattr__(self, name):
        return getattr(store, name)

    def apply(self, change):
        if moment != "before":
            done = store.apply(change)
            if moment == "after":
                assert done.result()
        os.kill(os.getpid(), signal.SIGKILL)

_, database, instance, moment = sys.argv
store = open_store(database)
Keeper(Killed()).erase(int(instance))
"""


def kinds():
    """A few events that differ in everything that tells cells apart."""
    return [
        from_dict(
            TaskCompletionEvent,
            EXAMPLES["TaskCompletionEvent"]
            | {
                "task_type": ("testing", "debugging")[number % 2],
                "model": f"model-{number % 3}",
                "complexity": ("low", "high")[number % 4 // 2],
                "actual_cost_usd_micros": number * 9_973,
                "actual_input_tokens": 1 + number * 7_919,
                "task_duration_ms": 1 + number * 6_101,
            },
        )
        for number in range(60)
    ]


def fill(database, accesses, counts, now_ms, *, public):
    """Events of each instance, stored and counted; the instances' numbers."""
    with open_engine(database, keep=False) as engine:
        numbers = [engine.accounts.instance(uuid.UUID(access.instance_id)).number for access in accesses]
    several = kinds()
    with closing(open_store(database)) as store:
        for number, count in zip(numbers, counts, strict=True):
            for start in range(0, count, 5_000):
                events = [StoredEvent(uuid.uuid4().bytes, now_ms, several[place % len(several)]) for place in range(start, min(start + 5_000, count))]
                store.insert(number, now_ms, events).result()
        for profile in (False, public):  # counted as on a private server first, since that goes in larger portions
            Keeper(store, lambda: now_ms / 1000, public=profile).catch_up()
    return numbers


def left(store, instance):
    return len(store.read_events(0, store.horizon(), LEAVING, instance))


def cells(store):
    """All that is known of the tasks, to the last bit; instances have other numbers in another database."""
    shares = sorted((key, share.updated_ms, share.cell and share.cell.to_bytes()) for (key, _), share in store.list_shares().items())
    return store.list_cells(), shares, sorted(store.find_totals(0, 10**6).values())


def erase(server, access):
    return server.request("DELETE", f"/v1/instances/{access.instance_id}/events", key=access.api_key)


def cut_off(server, access):
    """Ask for an erasure that nobody answers."""
    with suppress(OSError, HTTPException):
        erase(server, access)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("new_database", "public"), STORES, indirect=["new_database"])
def test_an_erasure_that_is_killed_again_and_again_comes_to_what_never_was(new_database, public):
    database, unseen, now_ms = new_database(), new_database(), int(time.time() * 1000)
    staying, leaving = create_instance(database), create_instance(database)
    _, number = fill(database, (staying, leaving), (HONEST, LEAVING), now_ms, public=public)
    fill(unseen, (create_instance(unseen),), (HONEST,), now_ms, public=public)
    with closing(open_store(database)) as store:
        assert left(store, number) == LEAVING
        for moment, least, most in (("before", LEAVING, LEAVING), ("while", 1, LEAVING), ("after", 1, LEAVING - 1)):
            words = [sys.executable, "-c", KILLED, str(database), str(number), moment]
            assert subprocess.run(words, check=False, timeout=120).returncode == -signal.SIGKILL
            assert moment == "before" or differences(store) == []
            assert least <= left(store, number) <= most, moment
    options = ["--public"] if public else []
    with ServerProcess(database, *options) as server:
        asking = threading.Thread(target=cut_off, args=(server, leaving))
        with closing(open_store(database)) as store:
            before = store.state().version
            asking.start()
            wait_for(lambda: store.state().version > before, 60, "a change of the cells")
            server.kill()
            asking.join(60)
            assert differences(store) == []
    with ServerProcess(database, *options) as server:
        status, answer = erase(server, leaving)
        assert (status, answer["instance_id"]) == (200, leaving.instance_id)
        assert erase(server, leaving) == (200, {**answer, "erased": 0})
        assert server.stop() == 0
    with closing(open_store(database)) as store, closing(open_store(unseen)) as never:
        assert left(store, number) == 0
        assert differences(store) == []
        assert cells(store) == cells(never)
