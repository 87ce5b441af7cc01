"""Events into their table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import apsw

from mosaic_telemetry.engine.store.columns import GATES, PLAIN, TEXTS, plain_of, texts_of
from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.engine.store.values import EventRow, StoredEvent

__all__ = ["Insertion", "read_events"]

_COLUMNS = ("event_id", "instance", "received_ms", "timestamp_ms", "standing", *PLAIN, *TEXTS, *GATES)
_ROW = f"({', '.join('?' * len(_COLUMNS))})"
# Many rows a statement: one call into SQLite then does the work of a whole batch, and other threads may run meanwhile.
_SIZES = (100, 20, 4, 1)
_INSERTS = {
    size: f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES {', '.join([_ROW] * size)} ON CONFLICT (event_id) DO NOTHING"  # noqa: S608 - fixed names
    for size in _SIZES
}
_LAST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)"
_FIND = "SELECT sequence FROM events WHERE event_id = ?"


class Insertion:
    """Events on their way into the table. What can be made ready for it before the transaction is: others wait while that lasts.

    Args:
        texts: the numbers of texts.
        instance: the number of the instance that reports them.
        received_ms: when they were received, in milliseconds since 1970.
        events: the events.
    """

    def __init__(self, texts: Texts, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> None:
        self._texts = texts
        self._head = (instance, received_ms)
        self._events = events
        self._statements = self._prepared(texts.known)

    def __call__(self, connection: apsw.Connection) -> list[bool]:
        """Insert them, within a transaction; returns whether each was new. Of two with one id, the first is new."""
        before = connection.execute(_LAST).get
        inserted = 0
        for statement, values in self._statements or self._prepared(partial(self._texts.numbers, connection)) or ():
            connection.execute(statement, values)
            inserted += connection.changes()
        if inserted == len(self._events):
            return [True] * inserted
        return _which_are_new(connection, [event.event_id for event in self._events], before)

    def _prepared(self, numbers: Callable[[tuple[str | None, ...]], list[int | None] | None]) -> list[tuple[str, tuple[Any, ...]]] | None:
        """Statements with their values; None where a text has no number yet."""
        rows: list[tuple[Any, ...]] = []
        for event_id, timestamp_ms, event, standing in self._events:
            named = numbers(texts_of(event))
            if named is None:
                return None
            rows.append((event_id, *self._head, timestamp_ms, standing, *plain_of(event), *named))
        statements = []
        start = 0
        for size in _SIZES:
            while len(rows) - start >= size:
                statements.append((_INSERTS[size], tuple(chain.from_iterable(rows[start : start + size]))))
                start += size
        return statements


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
    named: dict[tuple[int, ...], tuple[str, ...]] = {}
    rows = []
    for row in connection.execute(_READ, where):
        numbers = row[5:11]
        if numbers not in named:  # as many events have the same as do not
            named[numbers] = tuple(texts.texts(connection, numbers))
        rows.append(EventRow._make(row[:5] + named[numbers] + row[11:]))
    return rows
