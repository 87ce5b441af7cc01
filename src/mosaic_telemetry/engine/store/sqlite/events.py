"""Events into their table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import chain
from operator import attrgetter

import apsw

from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.engine.store.values import EventRow, StoredEvent
from mosaic_telemetry.schema import QualityGate

__all__ = ["insert_events", "read_events"]

_PLAIN = (
    "task_duration_ms",
    "estimated_input_tokens",
    "estimated_output_tokens",
    "actual_input_tokens",
    "actual_output_tokens",
    "estimated_cost_usd_micros",
    "actual_cost_usd_micros",
    "quality_gate_passed",
    "context_compactions",
    "context_rotations",
    "context_utilization_final",
    "retry_count",
)
_TEXTS = ("task_type", "complexity", "harness", "model", "provider", "outcome", "language", "repo_size_category")
_GATES = ("quality_gates_run", "quality_gates_failed")
_COLUMNS = ("event_id", "instance", "received_ms", "timestamp_ms", "standing", *_PLAIN, *_TEXTS, *_GATES)
_plain = attrgetter(*_PLAIN)
_texts = attrgetter(*_TEXTS)
_ROW = f"({', '.join('?' * len(_COLUMNS))})"
# Many rows a statement: one call into SQLite then does the work of a whole batch, and other threads may run meanwhile.
_SIZES = (100, 20, 4, 1)
_INSERTS = {
    size: f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES {', '.join([_ROW] * size)} ON CONFLICT (event_id) DO NOTHING"  # noqa: S608 - fixed names
    for size in _SIZES
}
_LAST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)"
_FIND = "SELECT sequence FROM events WHERE event_id = ?"


def insert_events(connection: apsw.Connection, texts: Texts, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> list[bool]:
    """Insert events, within a transaction; returns whether each was new. Of two with one id in `events`, the first is new."""
    numbers = partial(texts.numbers, connection)
    rows = [
        (
            event_id,
            instance,
            received_ms,
            timestamp_ms,
            standing,
            *_plain(event),
            *numbers(_texts(event)),
            *numbers((_gates(event.quality_gates_run), _gates(event.quality_gates_failed))),
        )
        for event_id, timestamp_ms, event, standing in events
    ]
    before = connection.execute(_LAST).get
    inserted = start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            connection.execute(_INSERTS[size], tuple(chain.from_iterable(rows[start : start + size])))
            inserted += connection.changes()
            start += size
    if inserted == len(rows):
        return [True] * inserted
    return _which_are_new(connection, [event.event_id for event in events], before)


def _which_are_new(connection: apsw.Connection, ids: Sequence[bytes], before: int) -> list[bool]:
    """Which of these events came after a sequence; of several with one id, the first."""
    seen: set[bytes] = set()
    new = []
    for event_id in ids:
        new.append(event_id not in seen and connection.execute(_FIND, (event_id,)).get > before)
        seen.add(event_id)
    return new


_READ = """
SELECT sequence, instance, received_ms, timestamp_ms, standing, task_type, model, provider, complexity, harness, outcome, quality_gate_passed,
       actual_input_tokens, actual_output_tokens, actual_cost_usd_micros, task_duration_ms, estimated_input_tokens, estimated_output_tokens
FROM events WHERE sequence > ?1 AND sequence <= ?2 AND (?4 IS NULL OR instance = ?4) ORDER BY sequence LIMIT ?3
"""


def read_events(connection: apsw.Connection, texts: Texts, where: tuple[int, int, int, int | None]) -> list[EventRow]:
    """The first events above one sequence and up to another, so many, of one instance if it is given."""
    text = texts.text
    return [EventRow(*row[:5], *[text(connection, number) for number in row[5:11]], *row[11:]) for row in connection.execute(_READ, where)]


_ORDER: dict[str, int] = {gate: place for place, gate in enumerate(QualityGate)}


def _gates(gates: Sequence[str]) -> str:
    """A set of gates as one text, each gate once and in the enum's order: 64 different texts at most."""
    if len(gates) < 2:
        return gates[0] if gates else ""
    return _set_of(tuple(gates))


@lru_cache(1000)
def _set_of(gates: tuple[str, ...]) -> str:
    return ",".join(sorted(set(gates), key=_ORDER.__getitem__))
