"""The events of a database as the contract's fields, some at a time: as many as there are, in little memory.

All are read in one transaction: what is written meanwhile is not among them, and nobody who writes waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

from mosaic_telemetry.engine.copying import open_tables
from mosaic_telemetry.engine.errors import UnknownInstanceError
from mosaic_telemetry.engine.store.columns import GATES, TEXTS
from mosaic_telemetry.engine.store.tables import TABLES, Row, Tables
from mosaic_telemetry.schema import SCHEMA_VERSION, TaskCompletionEvent
from mosaic_telemetry.schema.fields import kinds_of

__all__ = ["NAMES", "Wanted", "export_events"]

NAMES = tuple(name for name, _ in kinds_of(TaskCompletionEvent))
"""The contract's fields in its order: what each value of a row is."""

_TABLES = {table.name: table for table in TABLES}
_COLUMNS = _TABLES["events"].columns
_PLACES = {name: place for place, name in enumerate(_COLUMNS)}
_NAMED = {"instance_id": "instance", "timestamp": "timestamp_ms"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events.

    Attributes:
        since_ms: whose task ended at this time or later, in milliseconds since 1970.
        until_ms: whose task ended before this time.
        instance: of the instance with this id or name; None for all.
    """

    since_ms: float = float("-inf")
    until_ms: float = float("inf")
    instance: str | None = None


def export_events(database: Path | str, wanted: Wanted, progress: Callable[[int, int], object] = lambda _done, _all: None) -> Iterator[list[tuple[Any, ...]]]:
    """Events in the order in which they were stored, each as the values of `NAMES`; some at a time.

    Ids are texts, `timestamp` is in milliseconds since 1970, gates are tuples of texts.

    Args:
        database: a file that is there, or a URL.
        wanted: which events.
        progress: called after each portion with the place that was reached in the order of events, and the last place there is.

    Raises:
        DatabaseError: it cannot be read.
        UnknownInstanceError: no instance, or more than one, is of that name.
    """
    with closing(open_tables(database)) as tables:
        instances = {row[0]: str(UUID(bytes=row[1])) for row in _rows(tables, "instances")}
        only = None if wanted.instance is None else _number(tables, wanted.instance)
        complete = _completion(instances, dict(_rows(tables, "texts")))
        last = tables.last("events")
        instance, moment, sequence = _PLACES["instance"], _PLACES["timestamp_ms"], _PLACES["sequence"]
        for some in tables.read(_TABLES["events"]):
            rows = [row for row in some if wanted.since_ms <= row[moment] < wanted.until_ms and (only is None or row[instance] == only)]
            yield list(map(complete, rows))
            progress(some[-1][sequence], last)


def _rows(tables: Tables, name: str) -> Iterator[Row]:
    for some in tables.read(_TABLES[name]):
        yield from some


def _number(tables: Tables, wanted: str) -> int:
    """The store's number of the instance with an id or a name."""
    named = {row[0]: (str(UUID(bytes=row[1])), row[2]) for row in _rows(tables, "instances")}
    found: list[int] = [number for number, names in named.items() if wanted.lower() == names[0]] or [
        number for number, names in named.items() if wanted == names[1]
    ]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{name} ({instance})" if name else instance for instance, name in list(named.values())[:10]) or "none"
    raise UnknownInstanceError(f"{'several instances are' if found else 'no instance is'} called {wanted!r}; give an id: there are {there}")


def _completion(instances: Mapping[int, str], texts: Mapping[int, str]) -> Callable[[Row], tuple[Any, ...]]:
    """What makes an event of a row of its table."""
    words: dict[int | None, str | None] = {None: None}
    words.update(texts.items())
    gates = {number: tuple(text.split(",")) if text else () for number, text in texts.items()}
    change: dict[str, Callable[[Any], Any]] = {
        "event_id": _id_text,
        "instance_id": instances.__getitem__,
        "quality_gate_passed": bool,
        "context_utilization_final": float,
        **dict.fromkeys(TEXTS, words.__getitem__),
        **dict.fromkeys(GATES, gates.__getitem__),
    }
    stored = [name for name in NAMES if name != "schema_version"]
    pick = itemgetter(*(_PLACES[_NAMED.get(name, name)] for name in stored))
    changes = [(place, change[name]) for place, name in enumerate(stored) if name in change]
    version = NAMES.index("schema_version")

    def complete(row: Row) -> tuple[Any, ...]:
        values = list(pick(row))
        for place, to_field in changes:
            values[place] = to_field(values[place])
        values.insert(version, SCHEMA_VERSION)
        return tuple(values)

    return complete


def _id_text(data: bytes) -> str:
    """The text of a UUID; several times as fast as through `UUID`."""
    text = data.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
