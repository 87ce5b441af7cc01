"""Reading an SQLite database that another program has open and writes to, without changing a byte of it or beside it.

A database in WAL mode consists of up to three files. Opened in the ordinary way, even for reading, SQLite would create the two
beside it or fold them into the first; so it is opened as one that cannot change where there is no WAL, and with a read-only index
of the WAL where there is one. Where that index is missing, or the medium allows none of it, a copy is read.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["Row", "columns_of", "open_snapshot", "rows_of"]

Row = dict[str, Any]

_WAIT_S = 5.0


@contextmanager
def open_snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads the state of this moment, also while others write. Text comes as bytes.

    Raises:
        sqlite3.Error, OSError: it is no database, or cannot be opened.
    """
    wal, index = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if _size(wal) == 0:
        with closing(_connect(path, "immutable=1")) as connection:
            yield connection
    elif index.exists():
        with closing(_connect(path, "readonly_shm=1")) as connection:
            yield connection
    else:
        with tempfile.TemporaryDirectory(prefix="mosaic-telemetry-") as folder:
            for file in (path, wal):
                shutil.copyfile(file, Path(folder) / file.name)
            with closing(sqlite3.connect(Path(folder) / path.name, isolation_level=None)) as connection:
                connection.text_factory = bytes
                yield connection


def _connect(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&{how}", uri=True, isolation_level=None, timeout=_WAIT_S)
    try:
        connection.text_factory = bytes
        connection.execute("BEGIN")  # one state for all that is read
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def columns_of(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    """The names of a table's columns; none where there is no such table."""
    return frozenset(_text(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))


def rows_of(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a table, as far as they can be read, with those of `columns` that it has."""
    names = [name for name in columns if name in columns_of(connection, table)]
    if not names:
        return
    # Names come from the code, never from the file.
    with closing(connection.execute(f"SELECT {', '.join(names)} FROM {table}")) as cursor:  # noqa: S608
        for values in cursor:
            yield dict(zip(names, values, strict=True))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
