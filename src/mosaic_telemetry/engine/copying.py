"""Copying a database as a whole into an empty one, of the same kind or of another.

All is copied in one transaction and compared row by row before it is kept: killed at any moment, the target is as empty as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.opening import CLICKHOUSE, is_url, name_of, open_store
from mosaic_telemetry.engine.store.sqlite.tables import SqliteTables
from mosaic_telemetry.engine.store.tables import TABLES, Row, Table, Tables

__all__ = ["copy_database", "differing", "open_tables"]

_COUNTERS = ("events", "audit")
_MADE = ("cell_state", "texts")  # what a new database has already


def open_tables(database: Path | str) -> Tables:
    """The tables of a database, made or brought up to date where needed.

    Raises:
        DatabaseError: it cannot be opened.
    """
    if str(database).startswith(CLICKHOUSE):
        from mosaic_telemetry.engine.store.clickhouse.address import Address
        from mosaic_telemetry.engine.store.clickhouse.tables import ClickhouseTables

        address = Address.parse(str(database))
        return ClickhouseTables(address, lambda: open_store(address.accounts), lambda: open_tables(address.accounts))
    if is_url(database):
        from mosaic_telemetry.engine.store.postgres.tables import PostgresTables

        return PostgresTables(str(database))
    return SqliteTables(Path(database))


def _untold(_done: int, _all: int) -> None:
    """Tells nobody how far it is."""


def copy_database(source: Path | str, target: Path | str, progress: Callable[[int, int], object] = _untold) -> dict[str, int]:
    """Copy everything; what is written to the source after this began is not copied.

    Args:
        source: the database to copy.
        target: the database to copy into, which must be empty; made where there is none.
        progress: called after each portion with how much of the events is done, and how much there is: each is copied, then compared.

    Returns:
        The number of rows by table.

    Raises:
        DatabaseError: one of them cannot be used, the target is not empty, or holds something else than the source in the end.
    """
    if not is_url(source) and not Path(source).exists():
        raise DatabaseError(f"there is no database at {source}")
    with closing(open_tables(source)) as old, closing(open_tables(target)) as new:
        for table in TABLES:
            if table.name not in _MADE and any(True for _ in new.read(table)):
                raise DatabaseError(f"{name_of(target)} is not empty: copy into a new database")
        rows = {}
        stretch = _Stretch(old.last("events"), progress)
        for table in TABLES:
            counted = _Counted(old.read(table), stretch.copied if table.name == "events" else None)
            new.write(table, counted)
            rows[table.name] = counted.rows
        for counter in _COUNTERS:
            new.continue_after(counter, old.last(counter))
        for table in TABLES:
            if (found := differing(old, new, table, stretch.compared if table.name == "events" else None)) is not None:
                raise DatabaseError(f"the copy differs from {name_of(source)} in row {found + 1} of {table.name}; nothing was kept")
        new.commit()
    return rows


def differing(one: Tables, other: Tables, table: Table, reached: Callable[[Sequence[Row]], object] | None = None) -> int | None:
    """The place of the first row of a table that is not the same in both; None where all are. `reached` is given each portion of the one."""
    pairs = zip_longest(_rows(_Counted(one.read(table), reached)), _rows(other.read(table)))
    return next((place for place, (left, right) in enumerate(pairs) if left != right), None)


def _rows(portions: Iterable[list[Row]]) -> Iterator[Row]:
    for some in portions:
        yield from some


class _Stretch:
    """How far copying and comparing are on the stretch of events, by their numbers: of all tables only that one is ever long."""

    def __init__(self, last: int, progress: Callable[[int, int], object]) -> None:
        self._last = last
        self._progress = progress
        self._before: int | None = None

    def copied(self, some: Sequence[Row]) -> None:
        if self._before is None:
            self._before = some[0][0] - 1
        self._progress(some[-1][0] - self._before, 2 * (self._last - self._before))

    def compared(self, some: Sequence[Row]) -> None:
        before = self._before or 0
        self._progress(self._last + some[-1][0] - 2 * before, 2 * (self._last - before))


class _Counted:
    """Passes rows on, counts them, and hands each portion to who wants to know how far it is."""

    def __init__(self, portions: Iterable[list[Row]], reached: Callable[[Sequence[Row]], object] | None) -> None:
        self._portions = portions
        self._reached = reached
        self.rows = 0

    def __iter__(self) -> Iterator[list[Row]]:
        for some in self._portions:
            yield some
            self.rows += len(some)
            if self._reached is not None:
                self._reached(some)
