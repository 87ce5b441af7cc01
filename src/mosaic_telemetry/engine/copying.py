"""Copying a database as a whole into an empty one, of the same kind or of another.

All is copied in one transaction and compared row by row before it is kept: killed at any moment, the target is as empty as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import zip_longest
from pathlib import Path

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.opening import CLICKHOUSE, is_url, name_of, open_store
from mosaic_telemetry.engine.store.sqlite.tables import SqliteTables
from mosaic_telemetry.engine.store.tables import TABLES, Row, Table, Tables

__all__ = ["copy_database", "differing", "open_tables"]

_COUNTERS = ("events", "audit")
_ONE_ROW = "cell_state"


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


def copy_database(source: Path | str, target: Path | str, progress: Callable[[str, int], None] = lambda _name, _rows: None) -> dict[str, int]:
    """Copy everything; what is written to the source after this began is not copied.

    Args:
        source: the database to copy.
        target: the database to copy into, which must be empty; made where there is none.
        progress: called with a table's name and the number of its rows that are copied so far.

    Returns:
        The number of rows by table.

    Raises:
        DatabaseError: one of them cannot be used, the target is not empty, or holds something else than the source in the end.
    """
    if not is_url(source) and not Path(source).exists():
        raise DatabaseError(f"there is no database at {source}")
    with closing(open_tables(source)) as old, closing(open_tables(target)) as new:
        for table in TABLES:
            if table.name != _ONE_ROW and any(True for _ in new.read(table)):
                raise DatabaseError(f"{name_of(target)} is not empty: copy into a new database")
        rows = {}
        for table in TABLES:
            counted = _Counted(old.read(table), partial(progress, table.name))
            new.write(table, counted)
            rows[table.name] = counted.rows
        for counter in _COUNTERS:
            new.continue_after(counter, old.last(counter))
        for table in TABLES:
            if (found := differing(old, new, table)) is not None:
                raise DatabaseError(f"the copy differs from {name_of(source)} in row {found + 1} of {table.name}; nothing was kept")
        new.commit()
    return rows


def differing(one: Tables, other: Tables, table: Table) -> int | None:
    """The place of the first row of a table that is not the same in both; None where all are."""
    pairs = zip_longest(_rows(one.read(table)), _rows(other.read(table)))
    return next((place for place, (left, right) in enumerate(pairs) if left != right), None)


def _rows(portions: Iterable[list[Row]]) -> Iterator[Row]:
    for some in portions:
        yield from some


class _Counted:
    """Passes rows on, and counts them."""

    def __init__(self, portions: Iterable[list[Row]], progress: Callable[[int], None]) -> None:
        self._portions = portions
        self._progress = progress
        self.rows = 0

    def __iter__(self) -> Iterator[list[Row]]:
        for some in self._portions:
            yield some
            self.rows += len(some)
            self._progress(self.rows)
