"""Inserting with group commit: batches that come while others are being written share a block.

A block is acknowledged when ClickHouse has written it, and carries a token, so that one whose answer got lost can be sent again.
Whether an event was there before is not asked here: that is found out before it is counted.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.clickhouse.ddl import EVENT_COLUMNS, INCOMING
from mosaic_telemetry.engine.store.clickhouse.link import Link
from mosaic_telemetry.engine.store.columns import plain_of, texts_of
from mosaic_telemetry.engine.store.values import StoredEvent

__all__ = ["Batch", "Inserter"]

_EVENTS = 20_000


class Batch(NamedTuple):
    """Events of one instance on their way into the table.

    Attributes:
        instance: the number of the instance that reports them.
        received_ms: when they were received, in milliseconds since 1970.
        events: the events.
    """

    instance: int
    received_ms: int
    events: Sequence[StoredEvent]


class _Job(NamedTuple):
    batch: Batch
    done: Future[list[bool]]


class Inserter:
    """Inserts batches in a thread of its own.

    Args:
        link: where to.
        pause_ms: milliseconds between two inserts, at least.

    Attributes:
        observe: called after each insert with the number of its batches and the seconds it took; None for nobody.
    """

    def __init__(self, link: Link, pause_ms: int) -> None:
        self._link = link
        self._pause = pause_ms / 1000
        self.observe: Callable[[int, float], None] | None = None
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mosaic-telemetry-clickhouse", daemon=True)
        self._thread.start()

    def insert(self, batch: Batch) -> Future[list[bool]]:
        """Insert a batch; resolves when it is durable, with whether each event was the first of its id in its block. Never blocks."""
        job = _Job(batch, Future())
        with self._lock:
            if self._closing.is_set():
                job.done.set_exception(DatabaseError("the database is closed"))
            else:
                self._queue.put(job)
        return job.done

    def close(self) -> None:
        """Finish what was handed over. May be called twice."""
        with self._lock:
            if not self._closing.is_set():
                self._closing.set()
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = -self._pause
        while (job := self._queue.get()) is not None:
            self._closing.wait(last + self._pause - time.monotonic())  # others come meanwhile
            last = time.monotonic()
            jobs, closing = self._take(job)
            self._write([job for job in jobs if job.done.set_running_or_notify_cancel()])
            if closing:
                return

    def _take(self, first: _Job) -> tuple[list[_Job], bool]:
        """The batches that wait, up to a number of events; and whether they are the last."""
        jobs, events = [first], len(first.batch.events)
        while events < _EVENTS:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
            events += len(job.batch.events)
        return jobs, False

    def _write(self, jobs: Sequence[_Job]) -> None:
        if not jobs:
            return
        start = time.perf_counter()
        try:
            columns, first = _block([job.batch for job in jobs])
            if columns is not None:
                self._link.insert(INCOMING, columns, columns["block"][0].hex())
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            for job in jobs:
                job.done.set_exception(error)
            return
        if self.observe:
            self.observe(len(jobs), time.perf_counter() - start)
        for job, mine in zip(jobs, first, strict=True):
            job.done.set_result(mine)


def _block(batches: Sequence[Batch]) -> tuple[dict[str, Sequence[Any]] | None, list[list[bool]]]:
    """Batches as the columns of one block, None without a row, and for each batch which of its events are in it: the first of each id."""
    rows: list[tuple[Any, ...]] = []
    seen: set[bytes] = set()
    first = []
    for instance, received_ms, events in batches:
        mine = []
        for event_id, timestamp_ms, event, standing in events:
            mine.append(event_id not in seen)
            if mine[-1]:
                seen.add(event_id)
                rows.append((event_id, instance, received_ms, timestamp_ms, standing, *plain_of(event), *texts_of(event)))
        first.append(mine)
    if not rows:
        return None, first
    columns: dict[str, Sequence[Any]] = dict(zip(EVENT_COLUMNS, zip(*rows, strict=True), strict=True))
    # Ordered by the time of writing, and nobody else's.
    block = (time.time_ns() // 1000).to_bytes(8, "big") + secrets.token_bytes(8)
    columns |= {"block": [block] * len(rows), "place": range(len(rows))}
    return columns, first
