"""The tables as rows, the same for every store: what is copied from one to another, in an order that both agree on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from mosaic_telemetry.engine.store.columns import GATES, PLAIN, TEXTS
from mosaic_telemetry.engine.store.values import TotalKey, Totals

__all__ = ["CHUNK", "TABLES", "Row", "Table", "Tables"]

Row: TypeAlias = tuple[Any, ...]
"""Values of one row: integers, floats, texts, bytes and None; a truth value is 0 or 1, an id its 16 bytes."""

CHUNK = 5000
"""Rows that are handled at a time."""


class Table(NamedTuple):
    """A table.

    Attributes:
        name: of the table.
        columns: all of them.
        key: the first so many columns tell its rows apart, and give them their order; 0 for a table of one row.
    """

    name: str
    columns: Sequence[str]
    key: int = 1


TABLES = (
    Table("instances", ("number", "instance_id", "name", "created_ms", "local")),
    Table("api_keys", ("number", "digest", "instance", "name", "hint", "created_ms", "expires_ms", "revoked_ms")),
    Table("audit", ("number", "at_ms", "actor", "action", "subject", "detail")),
    Table("settings", ("name", "value")),
    Table("rate_buckets", ("name", "tokens", "at_ms")),
    Table("texts", ("number", "text")),
    Table("events", ("sequence", "event_id", "instance", "received_ms", "timestamp_ms", "standing", *PLAIN, *TEXTS, *GATES)),
    Table("cell_state", ("version", "counted", "expired", "scored", "landmark", "profile"), 0),
    Table("cells", ("number", "level", "dimensions", "updated_ms", "instances", "data")),
    Table("shares", ("cell", "instance", "events", "updated_ms", "data"), 2),
    Table("daily_totals", (*TotalKey._fields, *Totals._fields), len(TotalKey._fields)),
    Table("records", ("target", "level", "size", "month", "data"), 4),
    Table("intake", ("day", "instance", "result", "events"), 3),
)
"""All tables of a database, each after those that it refers to."""


class Tables(Protocol):
    """The tables of one database, within one transaction: what others write meanwhile is not seen. Raises `DatabaseError`."""

    def read(self, table: Table) -> Iterator[list[Row]]:
        """All rows of a table by its key, some at a time."""

    def write(self, table: Table, rows: Iterable[list[Row]]) -> None:
        """Replace all rows of a table."""

    def last(self, table: str) -> int:
        """The highest number that `events` or `audit` ever gave out."""

    def continue_after(self, table: str, last: int) -> None:
        """Let the numbers of `events` or `audit` go on after this one."""

    def commit(self) -> None:
        """Keep what was written, durably."""

    def close(self) -> None:
        """Let go; what was not committed is gone."""
