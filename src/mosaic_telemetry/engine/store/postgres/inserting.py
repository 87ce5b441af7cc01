"""Inserting with group commit: batches that come while others are being written share a transaction."""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg

from mosaic_telemetry.engine.store.postgres.events import Batch, Intake, make_months
from mosaic_telemetry.engine.store.postgres.link import Link
from mosaic_telemetry.engine.store.postgres.texts import Texts

__all__ = ["Inserter"]

_LANES = 2  # one sends while the other waits for its commit
_EVENTS = 2000

Waiting = list[tuple[Batch, "Future[list[bool]]"]]


class Inserter:
    """Inserts batches, several at a time. Safe to use from several threads.

    Args:
        link: where to.
        texts: the numbers of texts.

    Attributes:
        observe: called after each commit with the number of its batches and the seconds it took; None for nobody.
    """

    def __init__(self, link: Link, texts: Texts) -> None:
        self._link = link
        self._intake = Intake(texts)
        self.observe: Callable[[int, float], None] | None = None
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Batch, Future[list[bool]]]] = deque()
        self._lanes = 0
        self._month = ""

    def insert(self, batch: Batch) -> Future[list[bool]]:
        """Insert a batch; resolves when it is durable, with whether each event was new. Never blocks."""
        done: Future[list[bool]] = Future()
        with self._lock:
            self._waiting.append((batch, done))
            if self._lanes == _LANES:
                return done
            self._lanes += 1
        self._link.start(self._write_all()).add_done_callback(self._ended)
        return done

    async def _write_all(self) -> None:
        while taken := self._take():
            await self._write(taken)

    def _take(self) -> Waiting:
        """The batches that wait, up to a number of events; none is the end of a lane."""
        taken: Waiting = []
        events = 0
        with self._lock:
            while self._waiting and events < _EVENTS:
                batch, done = self._waiting.popleft()
                if done.set_running_or_notify_cancel():
                    taken.append((batch, done))
                    events += len(batch.events)
            if not taken:
                self._lanes -= 1
        return taken

    def _ended(self, lane: Future[None]) -> None:
        """A lane that could not even begin, since the store is closed, leaves nobody waiting."""
        error = lane.exception()
        if error is None:
            return
        with self._lock:
            self._lanes -= 1
            left = [(batch, done) for batch, done in self._waiting if done.set_running_or_notify_cancel()]
            self._waiting.clear()
        _fail(left, error)

    async def _write(self, taken: Waiting) -> None:
        start = time.perf_counter()
        try:
            async with self._link.connection() as connection:
                await self._have_months(connection)
                results = await self._intake.insert(connection, [batch for batch, _ in taken])
        except (asyncpg.DataError, struct.error) as error:  # what one of them holds: the others shall not fail with it
            if len(taken) == 1:
                _fail(taken, self._link.worded(error))
            for alone in taken if len(taken) > 1 else ():
                await self._write([alone])
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            _fail(taken, self._link.worded(error))
        else:
            if self.observe:
                self.observe(len(taken), time.perf_counter() - start)
            for (_, done), new in zip(taken, results, strict=True):
                done.set_result(new)

    async def _have_months(self, connection: asyncpg.Connection) -> None:
        """Make the coming months' partitions, once a month; without them events go into the default one."""
        now = datetime.now(UTC)
        month = f"{now:%Y-%m}"
        if month != self._month:
            with suppress(asyncpg.PostgresError):
                await make_months(connection, now)
            self._month = month


def _fail(taken: Waiting, error: BaseException) -> None:
    for _, done in taken:
        done.set_exception(error)
