"""Backups: a file that is whole and private, made while servers write, and put back only where it is sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.opening import CLICKHOUSE, is_url
from mosaic_telemetry.engine.store.sqlite.connection import in_words
from mosaic_telemetry.engine.store.sqlite.migrations import APPLICATION_ID, STEPS

__all__ = ["back_up", "restore"]

_STEPS = 10_000
"""Of SQLite's machine, between two looks at how much is written: about a millisecond."""


def back_up(database: Path | str, output: Path, *, force: bool = False, progress: Callable[[int, int], object] | None = None) -> None:
    """Write a database as it is at this moment into a file that only this user can read; there as a whole or not at all.

    Args:
        database: a SQLite file or the URL of a PostgreSQL database, which others may be writing.
        output: the file to make.
        force: whether it may take the place of one that is there.
        progress: called now and then, of a SQLite file, with the bytes that are written and those to be expected.

    Raises:
        DatabaseError: there is no such database, the file is there already, or cannot be written; `pg_dump` is not there or failed.
        ModuleNotFoundError: the extra `postgres` is not installed.
    """
    if is_url(database):
        _refuse_clickhouse(str(database))
        from mosaic_telemetry.engine.store.postgres.dumps import dump

        with _in_place(output, force=force) as part:
            dump(str(database), part)
        return
    database = Path(database)
    _check(database)
    with _in_place(output, force=force) as part:
        _write_anew(database, part, progress)


def restore(backup: Path, database: Path | str, *, force: bool = False, progress: Callable[[int, int], object] | None = None) -> None:
    """Put a backup in a database's place, after it was found to be sound. No server may be using the database.

    Args:
        backup: what `back_up` made of a database of the same kind.
        database: the SQLite file to make, or the URL of an empty PostgreSQL database.
        force: whether it may take the place of what is there.
        progress: as that of `back_up`.

    Raises:
        DatabaseError: the backup is damaged or none of ours, the database is there already, or cannot be written; `pg_restore` is not
            there or failed.
        ModuleNotFoundError: the extra `postgres` is not installed.
    """
    if is_url(database):
        _refuse_clickhouse(str(database))
        from mosaic_telemetry.engine.store.postgres.dumps import put_back

        put_back(backup, str(database), force=force)
        return
    database = Path(database)
    _check(backup)
    with _in_place(database, force=force) as part:
        _write_anew(backup, part, progress)
        for name in ("-wal", "-shm"):  # of the database that goes: they do not belong to the one that comes
            database.with_name(database.name + name).unlink(missing_ok=True)


def _refuse_clickhouse(database: str) -> None:
    if database.startswith(CLICKHOUSE):
        raise DatabaseError("ClickHouse has its own BACKUP and RESTORE for the events; back up the database of the accounts here, after it")


@contextmanager
def _in_place(path: Path, *, force: bool) -> Iterator[Path]:
    """An empty private file beside a path, which takes that name, durably, when the block is done."""
    if path.exists() and not force:
        raise DatabaseError(f"{path} is there already; name another file, or take its place with --force")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        for place in (part, path.parent):
            if place is not part:
                part.replace(path)
            number = os.open(place, os.O_RDONLY)
            os.fsync(number)
            os.close(number)
    except OSError as error:
        raise DatabaseError(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _write_anew(database: Path, part: Path, progress: Callable[[int, int], object] | None) -> None:
    """Write a database into an empty file, and check that."""
    with in_words(database), closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)) as source:
        source.set_busy_timeout(10_000)
        if progress is not None:
            size = int(source.pragma("page_count") - source.pragma("freelist_count")) * int(source.pragma("page_size"))

            def tell() -> bool:
                progress(min(part.stat().st_size, size), size)
                return False  # go on

            source.set_progress_handler(tell, _STEPS)
        source.execute("VACUUM INTO ?", (str(part),))
    _check(part)


def _check(path: Path) -> None:
    """Raise `DatabaseError` unless this is a database of ours, of a version that this program knows, without damage."""
    if not path.is_file():
        raise DatabaseError(f"there is no database at {path}")
    with in_words(path), closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.set_busy_timeout(10_000)
        if connection.pragma("application_id") != APPLICATION_ID or connection.pragma("user_version") > len(STEPS):
            raise DatabaseError(f"{path} is no database of mosaic-telemetry, or one of a newer version")
        if (found := connection.execute("PRAGMA quick_check(1)").get) != "ok":
            raise DatabaseError(f"{path} is damaged: {found}")
