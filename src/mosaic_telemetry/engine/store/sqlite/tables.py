"""The tables of a SQLite file as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw

from mosaic_telemetry.engine.store.sqlite.connection import in_words, open_writer
from mosaic_telemetry.engine.store.tables import CHUNK, Row, Table

__all__ = ["SqliteTables"]


class SqliteTables:
    """`Tables` of a SQLite file, made or brought up to date where needed.

    Args:
        path: the file.

    Raises:
        DatabaseError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_writer(path)
        with in_words(path):
            self._connection.execute("BEGIN")

    def read(self, table: Table) -> Iterator[list[Row]]:
        with in_words(self._path):
            order = f" ORDER BY {', '.join(table.columns[: table.key])}" if table.key else ""
            cursor = self._connection.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}{order}")  # noqa: S608 - fixed names
            rows: list[Row] = []
            for row in cursor:
                rows.append(row)
                if len(rows) == CHUNK:
                    yield rows
                    rows = []
            if rows:
                yield rows

    def write(self, table: Table, rows: Iterable[list[Row]]) -> None:
        with in_words(self._path):
            self._connection.execute(f"DELETE FROM {table.name}")  # noqa: S608 - a fixed name
        insert = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608 - fixed names
        for some in rows:
            with in_words(self._path):
                self._connection.executemany(insert, some)

    def last(self, table: str) -> int:
        with in_words(self._path):
            return int(self._connection.execute("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)", (table,)).get)

    def continue_after(self, table: str, last: int) -> None:
        with in_words(self._path):
            self._connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    def commit(self) -> None:
        with in_words(self._path):
            self._connection.execute("COMMIT")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.ConnectionClosedError:
            return
        self._connection.close()
