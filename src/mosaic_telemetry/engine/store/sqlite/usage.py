"""What came in, and the token buckets that limit it, in their tables."""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from mosaic_telemetry.engine.store.accounts import Bucket, IntakeKey

__all__ = ["add_intake", "forget_buckets", "read_intake", "settle", "sizes"]

_ADD = """
INSERT INTO intake (day, instance, result, events) VALUES (?, ?, ?, ?)
ON CONFLICT (day, instance, result) DO UPDATE SET events = events + excluded.events
"""
_KEEP = "INSERT OR REPLACE INTO rate_buckets (name, tokens, at_ms) VALUES (?, ?, ?)"


def add_intake(connection: apsw.Connection, counts: Mapping[IntakeKey, int]) -> None:
    """Add to the numbers of events that came in."""
    connection.executemany(_ADD, [(*key, events) for key, events in counts.items()])


def read_intake(connection: apsw.Connection, first_day: int, last_day: int) -> dict[IntakeKey, int]:
    """Numbers of events that came in on some days, both included."""
    rows = connection.execute("SELECT day, instance, result, events FROM intake WHERE day BETWEEN ? AND ?", (first_day, last_day))
    return {IntakeKey(day, instance, result): events for day, instance, result, events in rows}


def settle(connection: apsw.Connection, buckets: Mapping[str, Bucket], now_ms: int) -> dict[str, float]:
    """Take tokens out of buckets; returns what each then holds."""
    left = {}
    for name, bucket in buckets.items():
        row = connection.execute("SELECT tokens, at_ms FROM rate_buckets WHERE name = ?", (name,)).fetchone()
        tokens, at_ms = (bucket.size, now_ms) if row is None else row
        now = max(now_ms, at_ms)
        tokens = min(bucket.size, tokens + bucket.rate * (now - at_ms) / 1000) - bucket.taken
        connection.execute(_KEEP, (name, tokens, now))
        left[name] = tokens
    return left


def forget_buckets(connection: apsw.Connection, before_ms: int) -> int:
    """Forget the buckets that were last settled before a moment; returns how many those were."""
    connection.execute("DELETE FROM rate_buckets WHERE at_ms < ?", (before_ms,))
    return connection.changes()


def sizes(connection: apsw.Connection) -> dict[str, int]:
    """How many rows there are of each."""
    return {table: connection.execute(f"SELECT count(*) FROM {table}").get for table in ("cells", "shares", "instances", "api_keys")}  # noqa: S608 - fixed names
