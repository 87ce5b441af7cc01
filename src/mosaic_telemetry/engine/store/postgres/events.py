"""Events into their table, and out of it."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
from asyncpg.pgproto.pgproto import UUID

from mosaic_telemetry.engine.store.columns import plain_of, texts_of
from mosaic_telemetry.engine.store.postgres.migrations import LOCK
from mosaic_telemetry.engine.store.postgres.narrowing import is_narrow, widen
from mosaic_telemetry.engine.store.postgres.rows import COLUMNS, Layout
from mosaic_telemetry.engine.store.postgres.texts import Texts
from mosaic_telemetry.engine.store.values import EventRow, StoredEvent

__all__ = ["Batch", "Intake", "make_months", "read_events", "read_horizon"]

_INGESTING = 2
_MONTHS_AHEAD = 2

# No row comes before the lock is held (see `read_horizon`), and an id that is not new leaves none. The ids are inserted in the order of the
# array, which is sorted: two transactions that share some never wait for each other in a circle.
_TAKE = f"""
INSERT INTO event_ids (event_id) SELECT event_id FROM pg_advisory_xact_lock_shared({LOCK}, {_INGESTING}), unnest($1::uuid[]) AS incoming (event_id)
ON CONFLICT DO NOTHING RETURNING event_id
"""  # noqa: S608 - fixed numbers
_READ = """
SELECT sequence, instance, received_ms, timestamp_ms, standing, task_type, model, provider, complexity, harness, outcome, quality_gate_passed::int,
       actual_input_tokens, actual_output_tokens, actual_cost_usd_micros, task_duration_ms, estimated_input_tokens, estimated_output_tokens
FROM events WHERE sequence > $1 AND sequence <= $2 AND ($4::int4 IS NULL OR instance = $4) ORDER BY sequence LIMIT $3
"""


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


class Intake:
    """The table's way in.

    Args:
        texts: the numbers of texts.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._layout: Layout | None = None

    async def insert(self, connection: asyncpg.Connection, batches: Sequence[Batch]) -> list[list[bool]]:
        """Insert events, durably; returns for each batch whether each of its events was new. Of several with one id, the first is new.

        Raises:
            asyncpg.DataError, struct.error: for what one of them holds.
        """
        rows: dict[bytes, tuple[Any, ...]] = {}
        first: list[list[bool]] = []
        for batch in batches:
            mine = []
            for event_id, timestamp_ms, event, standing in batch.events:
                mine.append(event_id not in rows)
                if mine[-1]:
                    rows[event_id] = ((event_id, batch.instance, batch.received_ms, timestamp_ms, standing, *plain_of(event)), texts_of(event))
            first.append(mine)
        numbers: dict[str | None, int | None] = {None: None}
        numbers.update(await self._texts.numbers(connection, {text for _, texts in rows.values() for text in texts if text is not None}))
        wanted = {event_id: (*values, *[numbers[text] for text in texts]) for event_id, (values, texts) in sorted(rows.items())}
        fresh = await self._copy(connection, wanted)
        return [
            [unseen and event.event_id in fresh for unseen, event in zip(mine, batch.events, strict=True)] for mine, batch in zip(first, batches, strict=True)
        ]

    async def _copy(self, connection: asyncpg.Connection, rows: dict[bytes, tuple[Any, ...]]) -> set[bytes]:
        if self._layout is None:
            self._layout = Layout(narrow=await is_narrow(connection))
        try:
            return await _copied(connection, self._layout, rows)
        except struct.error:
            if not await widen(connection):
                raise
        except (asyncpg.ProtocolViolationError, asyncpg.InvalidBinaryRepresentationError):  # another process has widened the table
            if await is_narrow(connection):
                raise
        self._layout = Layout(narrow=False)
        return await _copied(connection, self._layout, rows)


async def _copied(connection: asyncpg.Connection, layout: Layout, rows: dict[bytes, tuple[Any, ...]]) -> set[bytes]:
    """Insert rows by their ids, in a transaction; returns the ids that were new."""
    body = layout.encode(rows.values())
    async with connection.transaction():
        fresh = {row[0].bytes for row in await connection.fetch(_TAKE, [UUID(event_id) for event_id in rows])}
        if len(fresh) < len(rows):
            body = layout.encode([rows[event_id] for event_id in sorted(fresh)]) if fresh else b""
        if body:
            await connection.copy_to_table("events", source=_once(body), columns=COLUMNS, format="binary")
    return fresh


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def read_horizon(connection: asyncpg.Connection) -> int:
    """The sequence of the last event, when no earlier one is still to come.

    Transactions take their numbers before they commit, and commit in any order. For a moment this waits until none is under way:
    what was numbered until then is to be seen, or never will be.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK, _INGESTING)
        horizon: int = await connection.fetchval("SELECT coalesce(max(sequence), 0) FROM events")
    return horizon


async def read_events(connection: asyncpg.Connection, texts: Texts, where: tuple[int, int, int, int | None]) -> list[EventRow]:
    """The first events above one sequence and up to another, so many, of one instance if it is given."""
    rows = await connection.fetch(_READ, *where)
    named = await texts.texts(connection, {number for row in rows for number in row[5:11]})
    return [EventRow._make((*row[:5], *[named[number] for number in row[5:11]], *row[11:])) for row in rows]


async def make_months(connection: asyncpg.Connection, now: datetime) -> None:
    """Make the partitions of this month and the next ones, where they are missing; those of months that have events already stay in the default one."""
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    for _ in range(_MONTHS_AHEAD + 1):
        following = (month + timedelta(days=32)).replace(day=1)
        name, start, end = f"events_{month:%Y_%m}", int(month.timestamp() * 1000), int(following.timestamp() * 1000)
        if await connection.fetchval("SELECT to_regclass($1)", name) is None:
            # Another process was first; or events of this month stand in the default partition, and may stay there.
            with suppress(asyncpg.DuplicateTableError, asyncpg.CheckViolationError, asyncpg.UniqueViolationError):
                await connection.execute(f"CREATE TABLE {name} PARTITION OF events FOR VALUES FROM ({start}) TO ({end})")
        month = following
