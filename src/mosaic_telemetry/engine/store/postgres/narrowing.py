"""Columns of events that take fewer bytes than a number could need."""

from __future__ import annotations

from itertools import combinations

import asyncpg

from mosaic_telemetry.engine.store.columns import GATES, set_of_gates
from mosaic_telemetry.schema import Complexity, Harness, Outcome, Provider, QualityGate, RepoSizeCategory, TaskType

__all__ = ["CLOSED", "NARROW", "TINY", "WORDS", "is_narrow", "retyped", "widen"]

TINY = ("context_compactions", "context_rotations", "retry_count")
"""Numbers of at most 100, in one byte: PostgreSQL's `"char"`, which is cast from and to `integer` alone."""

NARROW = 32_767
"""The highest number of a text that a column of words holds, as long as it is a `smallint`."""

_WIDEN_SECONDS = 3600.0
_ENUMS = (TaskType, Complexity, Harness, Provider, Outcome, RepoSizeCategory)
CLOSED = ("task_type", "complexity", "harness", "provider", "outcome", "repo_size_category", *GATES)
"""Columns of words, of which there are few."""

_SETS = [set_of_gates(gates) for size in range(len(QualityGate) + 1) for gates in combinations(QualityGate, size)]

WORDS = tuple(dict.fromkeys([*(member.value for enum in _ENUMS for member in enum), *_SETS]))
"""All texts that columns of words hold: numbered before any name of a model is, they fit."""


def retyped(kind: str) -> str:
    """The statement that gives columns of words another type; the table is written anew."""
    return "ALTER TABLE events " + ", ".join(f"ALTER COLUMN {name} TYPE {kind}" for name in CLOSED)


async def is_narrow(connection: asyncpg.Connection) -> bool:
    """Whether columns of words hold a `smallint`."""
    kind = await connection.fetchval("SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = 'events'::regclass AND attname = 'task_type'")
    return bool(kind == "smallint")


async def widen(connection: asyncpg.Connection) -> bool:
    """Let columns of words hold any number, where there are texts above `NARROW`; returns whether they did not already.

    To be needed it takes tens of thousands of models that were numbered before a word: copied from another store, or before a version that
    brought the word.
    """
    highest = await connection.fetchval("SELECT coalesce(max(number), 0) FROM texts")
    if highest <= NARROW or not await is_narrow(connection):
        return False
    await connection.execute(retyped("integer"), timeout=_WIDEN_SECONDS)
    await connection.reload_schema_state()  # else what was prepared before fails within a transaction
    return True
