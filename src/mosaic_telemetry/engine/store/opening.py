"""From what a person writes as `--database` to a store."""

from __future__ import annotations

from pathlib import Path

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.protocol import Store
from mosaic_telemetry.engine.store.sqlite import SqliteStore

__all__ = ["CLICKHOUSE", "is_url", "name_of", "open_store"]

_POSTGRES = ("postgresql://", "postgres://")
CLICKHOUSE = "clickhouse://"


def is_url(database: Path | str) -> bool:
    """Whether this names a database on a server, and not a file."""
    return isinstance(database, str) and database.startswith((*_POSTGRES, CLICKHOUSE))


def name_of(database: Path | str) -> str:
    """A database as it may be shown: an address without user, password and options; a file as it is."""
    if not is_url(database):
        return str(database)
    if str(database).startswith(CLICKHOUSE):
        from mosaic_telemetry.engine.store.clickhouse.address import named as clickhouse_named

        return clickhouse_named(str(database))
    from mosaic_telemetry.engine.store.postgres.connection import named

    return named(str(database))


def open_store(database: Path | str, *, make_directory: bool = False) -> Store:
    """A store, made or brought up to date where needed.

    Args:
        database: a SQLite file, or the URL of a PostgreSQL or a ClickHouse database.
        make_directory: whether to make the directory of the file where it is missing, for this user alone.

    Raises:
        DatabaseError: it cannot be opened; the text says why and what to do.
        ModuleNotFoundError: the extra `postgres` or `clickhouse` is not installed.
    """
    if str(database).startswith(CLICKHOUSE):
        from mosaic_telemetry.engine.store.clickhouse import ClickhouseStore
        from mosaic_telemetry.engine.store.clickhouse.address import Address

        address = Address.parse(str(database))
        return ClickhouseStore(address, open_store(address.accounts, make_directory=make_directory))
    if is_url(database):
        from mosaic_telemetry.engine.store.postgres import PostgresStore

        return PostgresStore(str(database))
    if "://" in str(database):
        raise DatabaseError(
            f"{str(database).partition(':')[0]}:// is no database that is known; give the path of a SQLite file, postgresql://… or clickhouse://…"
        )
    path = Path(database)
    if make_directory:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"cannot make the directory {path.parent} for the database: {error.strerror}; name another place with --database") from error
    return SqliteStore(path)
