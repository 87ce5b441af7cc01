"""Backups of a PostgreSQL database by PostgreSQL's own programs, `pg_dump` and `pg_restore`."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.postgres.connection import connect, in_words, named
from mosaic_telemetry.engine.store.postgres.migrations import STEPS, version_of

__all__ = ["apart", "dump", "put_back"]

_MARKER = "mosaic_telemetry_tables"
_SQLITE = b"SQLite format 3\0"
_TOO_OLD = ("server version mismatch", "unsupported version (")  # of a server, and of a dump
_ALIKE = ("--no-owner", "--no-privileges")  # so that it can be put back by another user


def dump(dsn: str, output: Path) -> None:
    """Write a database as it is at this moment, in `pg_dump`'s custom format; also while servers write.

    Args:
        dsn: a URL as libpq takes it.
        output: a file; what it holds is replaced.

    Raises:
        DatabaseError: it cannot be reached, its tables are none of ours, or `pg_dump` failed or is not there.
    """
    if not asyncio.run(_ours(dsn)):
        raise DatabaseError(f"{named(dsn)} is no database of mosaic-telemetry")
    address, environment = apart(dsn)
    _run(["pg_dump", "--format=custom", *_ALIKE, f"--file={output}", f"--dbname={address}"], environment)


def put_back(backup: Path, dsn: str, *, force: bool = False) -> None:
    """Make the tables of a database from a dump, all of them or none. No server may be using the database.

    Args:
        backup: what `dump` wrote.
        dsn: where to: an empty database.
        force: whether the tables of one that is not empty may be replaced.

    Raises:
        DatabaseError: the backup is none of ours or of a newer version, the database cannot be reached or is not empty, or `pg_restore`
            failed or is not there.
    """
    _check(backup)
    if asyncio.run(_tables(dsn)) and not force:
        raise DatabaseError(f"{named(dsn)} is not empty; name a new database, or replace what is in it with --force")
    address, environment = apart(dsn)
    replacing = ["--clean", "--if-exists"] if force else []
    _run(["pg_restore", "--single-transaction", "--exit-on-error", *_ALIKE, *replacing, f"--dbname={address}", str(backup)], environment)


def _check(backup: Path) -> None:
    """Raise `DatabaseError` unless this is a dump with tables that this program knows."""
    try:
        with backup.open("rb") as file:
            start = file.read(len(_SQLITE))
    except OSError as error:
        raise DatabaseError(f"cannot read {backup}: {error.strerror}") from error
    if start == _SQLITE:
        raise DatabaseError(f"{backup} is of a SQLite database; restore it to a file, and `admin copy` that into PostgreSQL")
    if not start.startswith(b"PGDMP"):
        raise DatabaseError(f"{backup} is no backup of a PostgreSQL database")
    text = _run(["pg_restore", "--data-only", f"--table={_MARKER}", "--file=-", str(backup)], {})
    versions = [int(line) for line in text.splitlines() if line.isdecimal()]
    if len(versions) != 1 or versions[0] > len(STEPS):
        raise DatabaseError(f"{backup} is of no database of mosaic-telemetry, or of one of a newer version")


async def _ours(dsn: str) -> bool:
    with in_words(dsn):
        connection = await connect(dsn)
        try:
            return bool(await version_of(connection, dsn))
        finally:
            await connection.close()


async def _tables(dsn: str) -> int:
    with in_words(dsn):
        connection = await connect(dsn)
        try:
            found: int = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
            return found
        finally:
            await connection.close()


def apart(dsn: str) -> tuple[str, dict[str, str]]:
    """An address without its password, which other users could read on a command line, and that password for the environment."""
    parts = urlsplit(dsn)
    user, _, place = parts.netloc.rpartition("@")
    user, _, password = user.partition(":")
    options = parse_qsl(parts.query, keep_blank_values=True)
    password = unquote(password) or dict(options).get("password", "")
    query = urlencode([(name, value) for name, value in options if name != "password"])
    address = urlunsplit(("postgresql", f"{user}@{place}" if user else place, parts.path, query, ""))
    # An empty place and path leave "postgresql:", which libpq does not take.
    return address if "//" in address else f"postgresql://{address.partition(':')[2]}", {"PGPASSWORD": password} if password else {}


def _run(words: list[str], environment: dict[str, str]) -> str:
    """What a program of PostgreSQL prints.

    Raises:
        DatabaseError: it is not there, or failed; the text is what it says was wrong.
    """
    if shutil.which(words[0]) is None:
        raise DatabaseError(f"{words[0]} is not installed; install PostgreSQL's client programs (Debian: postgresql-client)")
    whole = {**os.environ, **environment, "LC_ALL": "C"}  # its words are looked into
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, env=whole)  # noqa: S603 - words of ours
    if done.returncode:
        if any(old in done.stderr for old in _TOO_OLD):
            raise DatabaseError(f"this {words[0]} is older than the PostgreSQL that it is to work with; install the client programs of that version")
        said = [line.partition(": ")[2] or line for line in done.stderr.splitlines() if line.strip()]
        raise DatabaseError(f"{words[0]} failed: {'; '.join(said[:3]) or f'exit code {done.returncode}'}")
    return done.stdout
