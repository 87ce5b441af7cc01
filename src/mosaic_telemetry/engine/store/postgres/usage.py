"""What came in, and the token buckets that limit it, in their tables."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

from mosaic_telemetry.engine.store.accounts import Bucket, IntakeKey

__all__ = ["add_intake", "forget_buckets", "read_intake", "settle", "sizes"]

_ADD = """
INSERT INTO intake (day, instance, result, events) SELECT * FROM unnest($1::int4[], $2::int4[], $3::text[], $4::int8[])
ON CONFLICT (day, instance, result) DO UPDATE SET events = intake.events + excluded.events
"""
# A bucket that is not kept is full; excluded.tokens is what a full one then holds.
_SETTLE = """
WITH asked AS (SELECT * FROM unnest($1::text[], $2::float8[], $3::float8[], $4::float8[]) AS asked (name, rate, size, taken)),
     kept AS (
        INSERT INTO rate_buckets (name, tokens, at_ms) SELECT name, size - taken, $5 FROM asked
        ON CONFLICT (name) DO UPDATE SET
            tokens = (SELECT least(size, rate_buckets.tokens + rate * (greatest(excluded.at_ms, rate_buckets.at_ms) - rate_buckets.at_ms) / 1000) - taken
                      FROM asked WHERE asked.name = rate_buckets.name),
            at_ms = greatest(excluded.at_ms, rate_buckets.at_ms)
        RETURNING name, tokens)
SELECT name, tokens FROM kept
"""


async def add_intake(connection: asyncpg.Connection, counts: Mapping[IntakeKey, int]) -> None:
    """Add to the numbers of events that came in."""
    rows = sorted((*key, events) for key, events in counts.items())  # in one order, so that two processes never wait for each other in a circle
    if rows:
        await connection.execute(_ADD, *map(list, zip(*rows, strict=True)))


async def read_intake(connection: asyncpg.Connection, first_day: int, last_day: int) -> dict[IntakeKey, int]:
    """Numbers of events that came in on some days, both included."""
    rows = await connection.fetch("SELECT day, instance, result, events FROM intake WHERE day BETWEEN $1 AND $2", first_day, last_day)
    return {IntakeKey(*row[:3]): row[3] for row in rows}


async def settle(connection: asyncpg.Connection, buckets: Mapping[str, Bucket], now_ms: int) -> dict[str, float]:
    """Take tokens out of buckets; returns what each then holds."""
    if not buckets:
        return {}
    names = sorted(buckets)  # as above
    asked = [buckets[name] for name in names]
    rows = await connection.fetch(
        _SETTLE, names, [bucket.rate for bucket in asked], [bucket.size for bucket in asked], [bucket.taken for bucket in asked], now_ms
    )
    return dict(map(tuple, rows))


async def forget_buckets(connection: asyncpg.Connection, before_ms: int) -> int:
    """Forget the buckets that were last settled before a moment; returns how many those were."""
    done = await connection.execute("DELETE FROM rate_buckets WHERE at_ms < $1", before_ms)
    return int(done.rpartition(" ")[2])


async def sizes(connection: asyncpg.Connection) -> dict[str, int]:
    """How many rows there are of each."""
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in ("cells", "shares", "instances", "api_keys")}  # noqa: S608 - fixed names
