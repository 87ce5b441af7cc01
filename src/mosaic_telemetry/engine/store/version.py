"""At which version the tables of a database stand, without touching them."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.opening import CLICKHOUSE, is_url

__all__ = ["TablesVersion", "tables_version"]


class TablesVersion(NamedTuple):
    """How far a database's tables are.

    Attributes:
        found: the version of its tables; 0 where it has none yet.
        wanted: the version that this program works with, and brings them to when it opens the database.
    """

    found: int
    wanted: int


def tables_version(database: Path | str) -> TablesVersion:
    """Read the version of a database's tables; nothing is changed. Of a ClickHouse store it is that of the accounts beside it.

    Raises:
        DatabaseError: there is no such database, it cannot be read, belongs to another program or to a newer version of this one.
        ModuleNotFoundError: the extra `postgres` or `clickhouse` is not installed.
    """
    if str(database).startswith(CLICKHOUSE):
        from mosaic_telemetry.engine.store.clickhouse.address import Address

        return tables_version(Address.parse(str(database)).accounts)
    return _of_postgres(str(database)) if is_url(database) else _of_sqlite(Path(database))


def _of_sqlite(path: Path) -> TablesVersion:
    import apsw

    from mosaic_telemetry.engine.store.sqlite.connection import in_words
    from mosaic_telemetry.engine.store.sqlite.migrations import STEPS, version_of

    if not path.is_file():
        raise DatabaseError(f"there is no database at {path}")
    with in_words(path), closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.set_busy_timeout(10_000)
        return TablesVersion(version_of(connection, str(path)), len(STEPS))


def _of_postgres(dsn: str) -> TablesVersion:
    from mosaic_telemetry.engine.store.postgres.connection import connect, in_words
    from mosaic_telemetry.engine.store.postgres.migrations import STEPS, version_of

    async def ask() -> int:
        connection = await connect(dsn)
        try:
            return await version_of(connection, dsn)
        finally:
            await connection.close()

    with in_words(dsn):
        return TablesVersion(asyncio.run(ask()), len(STEPS))
