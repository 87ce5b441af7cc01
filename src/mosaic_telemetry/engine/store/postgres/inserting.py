"""Inserting with group commit: batches that come while others are being written share a transaction."""

from __future__ import annotations

import asyncio
import struct
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

Waiting = list[tuple[Batch, asyncio.Future[list[bool]]]]
"""Batches and what tells of them. A caller who no longer waits has cancelled it; the others of the group still wait."""


class Inserter:
    """Inserts batches, several at a time.

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
        self._waiting: deque[tuple[Batch, asyncio.Future[list[bool]]]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._month = ""

    def insert(self, batch: Batch) -> Future[list[bool]]:
        """Insert a batch; resolves when it is durable, with whether each event was new. Never blocks."""
        return self._link.start(self._insert(batch))

    async def _insert(self, batch: Batch) -> list[bool]:
        done: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, done))
        if len(self._lanes) < _LANES:
            lane = asyncio.create_task(self._write_all())
            self._lanes.add(lane)
        return await done

    async def _write_all(self) -> None:
        lane = asyncio.current_task()
        try:
            while self._waiting:
                await self._write(self._take())
        finally:  # with no pause after the look at who waits: a batch that comes now must find the lane's place free
            self._lanes = {other for other in self._lanes if other is not lane}

    def _take(self) -> Waiting:
        """The batches that wait, up to a number of events."""
        taken = [self._waiting.popleft()]
        events = len(taken[0][0].events)
        while self._waiting and events < _EVENTS:
            taken.append(self._waiting.popleft())
            events += len(taken[-1][0].events)
        return taken

    async def _write(self, taken: Waiting) -> None:
        start = time.perf_counter()
        try:
            async with self._link.connection() as connection:
                await self._have_months(connection)
                results = await self._intake.insert(connection, [batch for batch, _ in taken])
        except (asyncpg.DataError, struct.error) as error:  # what one of them holds: the others shall not fail with it
            if len(taken) == 1:
                _fail(taken, error)
            for alone in taken if len(taken) > 1 else ():
                await self._write([alone])
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            _fail(taken, error)
        else:
            if self.observe:
                self.observe(len(taken), time.perf_counter() - start)
            for (_, done), new in zip(taken, results, strict=True):
                if not done.done():
                    done.set_result(new)

    async def _have_months(self, connection: asyncpg.Connection) -> None:
        """Make the coming months' partitions, once a month; without them events go into the default one."""
        now = datetime.now(UTC)
        month = f"{now:%Y-%m}"
        if month != self._month:
            with suppress(asyncpg.PostgresError):
                await make_months(connection, now)
            self._month = month


def _fail(taken: Waiting, error: Exception) -> None:
    for _, done in taken:
        if not done.done():
            done.set_exception(error)
