"""Events into their table, and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from mosaic_telemetry.engine.store.columns import GATES, PLAIN, TEXTS, plain_of, texts_of
from mosaic_telemetry.engine.store.postgres.migrations import LOCK
from mosaic_telemetry.engine.store.postgres.narrowing import TINY, widen
from mosaic_telemetry.engine.store.postgres.texts import Texts
from mosaic_telemetry.engine.store.values import EventRow, StoredEvent

__all__ = ["Batch", "insert_batches", "make_months", "read_events", "read_horizon"]

_INGESTING = 2
_MONTHS_AHEAD = 2

_KINDS = {"quality_gate_passed": "boolean", "context_utilization_final": "float8"}
_TYPES = {"event_id": "uuid", "instance": "int4", "received_ms": "int8", "timestamp_ms": "int8", "standing": "int2"} | {
    name: _KINDS.get(name, "int4") for name in (*PLAIN, *TEXTS, *GATES)
}
_COLUMNS = ", ".join(_TYPES)
_VALUES = ", ".join(f'{name}::"char"' if name in TINY else name for name in _TYPES)
_ARRAYS = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(_TYPES.values(), 1))
# One statement, which is a transaction: no row comes before the lock is held (see `read_horizon`), and an id that is not new leaves
# none. The ids are inserted in the order of the array, which is sorted: two transactions that share some never wait for each other
# in a circle.
_INSERT = f"""
WITH incoming AS MATERIALIZED (SELECT incoming.* FROM pg_advisory_xact_lock_shared({LOCK}, {_INGESTING}), unnest({_ARRAYS}) AS incoming ({_COLUMNS})),
     fresh AS (INSERT INTO event_ids (event_id) SELECT event_id FROM incoming ON CONFLICT DO NOTHING RETURNING event_id),
     kept AS (INSERT INTO events ({_COLUMNS}) SELECT {_VALUES} FROM incoming WHERE event_id IN (SELECT event_id FROM fresh))
SELECT event_id FROM fresh
"""  # noqa: S608 - fixed names
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


async def insert_batches(connection: asyncpg.Connection, texts: Texts, batches: Sequence[Batch]) -> list[list[bool]]:
    """Insert events, durably; returns for each batch whether each of its events was new. Of several with one id, the first is new."""
    rows: dict[bytes, tuple[Any, ...]] = {}
    first: list[list[bool]] = []
    for batch in batches:
        mine = []
        for event_id, timestamp_ms, event, standing in batch.events:
            mine.append(event_id not in rows)
            if mine[-1]:
                rows[event_id] = (batch.instance, batch.received_ms, timestamp_ms, standing, plain_of(event), texts_of(event))
        first.append(mine)
    numbers: dict[str | None, int | None] = {None: None}
    numbers.update(await texts.numbers(connection, {text for row in rows.values() for text in row[5] if text is not None}))
    ids = sorted(rows)
    columns = [[UUID(bytes=event_id) for event_id in ids]]
    columns += map(list, zip(*((*row[:4], *row[4], *[numbers[text] for text in row[5]]) for row in map(rows.__getitem__, ids)), strict=True))
    try:
        inserted = await connection.fetch(_INSERT, *columns)
    except asyncpg.NumericValueOutOfRangeError:
        if not await widen(connection):
            raise
        inserted = await connection.fetch(_INSERT, *columns)
    fresh = {row[0].bytes for row in inserted}
    return [[unseen and event.event_id in fresh for unseen, event in zip(mine, batch.events, strict=True)] for mine, batch in zip(first, batches, strict=True)]


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
