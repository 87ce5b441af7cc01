"""Opening a database, and SQLite's errors in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from mosaic_telemetry.engine.errors import DatabaseBusyError, DatabaseError
from mosaic_telemetry.engine.store.sqlite.migrations import migrate

__all__ = ["in_words", "open_reader", "open_writer"]

_BUSY_MS = 10_000
_PASSING = (apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.IOError)
_NOT_OPENED = "is it a directory, or may this user not write there?"


def open_writer(path: Path) -> apsw.Connection:
    """A connection that writes, on a database made or brought up to date where needed.

    WAL with synchronous=FULL: a commit is on the disk when it returns.

    Raises:
        DatabaseError: in one line, with the path and what to do.
    """
    if not path.parent.is_dir():
        raise DatabaseError(f"the directory {path.parent} does not exist; make it, or name another file with --database")
    with in_words(path):
        _make_private(path)
        connection = apsw.Connection(str(path))
        try:
            _set_up(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _make_private(path: Path) -> None:
    """Make the file for this user alone where there is none; SQLite's own files beside it get the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return  # it is there already, or SQLite will say why it cannot be made


def _set_up(connection: apsw.Connection, path: Path) -> None:
    if connection.readonly("main"):  # SQLite falls back to reading where it may not write, without a word
        raise DatabaseError(f"cannot write to the database {path}: {_NOT_OPENED}")
    connection.set_busy_timeout(_BUSY_MS)
    connection.pragma("synchronous", "FULL")
    migrate(connection, str(path))
    if connection.pragma("journal_mode", "WAL") != "wal":
        raise DatabaseError(f"{path} lies on a file system where SQLite cannot share a database (WAL); name another file with --database")
    connection.pragma("wal_autocheckpoint", 4000)
    connection.pragma("user_version")  # the first look in this mode makes the file -wal


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads, on a database that `open_writer` has opened before; any thread may close it."""
    with in_words(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(_BUSY_MS)
        connection.pragma("query_only", True)
        connection.pragma("mmap_size", 1 << 30)
        return connection


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn an error of SQLite within the block into a `DatabaseError` of one line."""
    try:
        yield
    except apsw.NotADBError as error:
        raise DatabaseError(f"{path} is not a database; name another file with --database") from error
    except apsw.CantOpenError as error:
        raise DatabaseError(f"cannot open the database {path}: {_NOT_OPENED}") from error
    except apsw.ReadOnlyError as error:
        raise DatabaseError(f"cannot write to the database {path}: {_NOT_OPENED}") from error
    except _PASSING as error:
        raise DatabaseBusyError(f"the database {path} cannot be used at the moment: {error}") from error
    except apsw.Error as error:
        raise DatabaseError(f"the database {path} failed: {error}") from error
