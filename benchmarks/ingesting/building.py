"""A large database, made once: straight through the store, since making ten million events over HTTP would measure nothing but patience."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path

import apsw

from ingesting.bodies import Bodies
from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.ingest import judge_body
from mosaic_telemetry.engine.store import Instance
from mosaic_telemetry.engine.store.sqlite import SqliteStore

_AT_ONCE = 2_000
_WAITING = 8


def build(database: Path, instance: Instance, events: int) -> None:
    """Fill an empty database with so many events under ids as our SDK makes them, and count them all into cells."""
    bodies = Bodies(str(instance.instance_id))
    pool = itertools.cycle([event for _ in range(64) for event in judge_body(bodies.make(), instance.instance_id).events])
    store = SqliteStore(database)
    waiting = []
    for start in range(0, events, _AT_ONCE):
        now = int(time.time() * 1000)
        ids = _ids(now, min(_AT_ONCE, events - start))
        waiting.append(store.insert(instance.number, now, [next(pool)._replace(event_id=one, timestamp_ms=now) for one in ids]))
        if len(waiting) > _WAITING:
            waiting.pop(0).result()
    for one in waiting:
        one.result()
    store.close()
    with open_engine(database, keep=False) as engine:
        engine.roll_up()


def _ids(now_ms: int, count: int) -> list[bytes]:
    """UUIDv7, in no order within a millisecond."""
    noise = os.urandom(10 * count)
    head = now_ms.to_bytes(6, "big")
    return [head + bytes([0x70 | part[0] & 15, part[1], 0x80 | part[2] & 63]) + part[3:10] for part in (noise[at : at + 10] for at in range(0, 10 * count, 10))]


def copied(database: Path, to: Path) -> Path:
    """A copy of a database that nobody uses."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with apsw.Connection(str(database)) as connection:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    shutil.copy(database, to)
    return to


def shuffle(database: Path) -> None:
    """Give every event a random id in the place of its own, one after the other, as if they had come so."""
    connection = apsw.Connection(str(database))
    for pragma in ("synchronous = OFF", "cache_size = -4000000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("UPDATE events SET event_id = randomblob(16)")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()
