"""The tables of a PostgreSQL database as rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.postgres.connection import connect, in_words, named
from mosaic_telemetry.engine.store.postgres.events import make_months
from mosaic_telemetry.engine.store.postgres.migrations import migrate
from mosaic_telemetry.engine.store.postgres.narrowing import TINY, widen
from mosaic_telemetry.engine.store.tables import CHUNK, Row, Table

__all__ = ["PostgresTables"]

T = TypeVar("T")

_IDS = ("instance_id", "event_id")
_TRUTHS = ("local", "quality_gate_passed")
_WORDS = ("name", "target", "result")  # texts in keys: ordered by their bytes, as in every other store
_NUMBERED = ("instances", "api_keys", "texts", "cells")


class PostgresTables:
    """`Tables` of a PostgreSQL database, brought up to date where needed.

    Args:
        dsn: a URL as libpq takes it.

    Raises:
        DatabaseError: it cannot be opened.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._loop = asyncio.new_event_loop()
        try:
            self._connection: asyncpg.Connection = self._do(self._open())
        except BaseException:
            self._loop.close()
            raise

    def read(self, table: Table) -> Iterator[list[Row]]:
        keys = ", ".join(f'{name} COLLATE "C"' if name in _WORDS else name for name in table.columns[: table.key])
        columns = ", ".join(f"{name}::integer" if name in TINY else name for name in table.columns)
        query = f"SELECT {columns} FROM {table.name}" + (f" ORDER BY {keys}" if keys else "")  # noqa: S608 - fixed names
        cursor = self._do(self._connection.cursor(query))
        ids = [place for place, name in enumerate(table.columns) if name in _IDS]
        truths = [place for place, name in enumerate(table.columns) if name in _TRUTHS]
        while rows := self._do(cursor.fetch(CHUNK)):
            some = []
            for row in rows:
                values = list(row)
                for place in ids:
                    values[place] = values[place].bytes
                for place in truths:
                    values[place] = int(values[place])
                some.append(tuple(values))
            yield some

    def write(self, table: Table, rows: Iterable[list[Row]]) -> None:
        self._do(self._connection.execute(f"DELETE FROM {table.name}"))  # noqa: S608 - a fixed name
        if table.name == "events":
            self._do(self._connection.execute("CLOSE ALL"))  # a table that was read is in use as long as that can be read on
            self._do(widen(self._connection))
        kinds = [UUID if name in _IDS else bool if name in _TRUTHS else _byte if name in TINY else None for name in table.columns]
        for some in rows:
            records = [tuple(_as(kind, value) for kind, value in zip(kinds, row, strict=True)) for row in some]
            self._do(self._connection.copy_records_to_table(table.name, records=records, columns=table.columns))
            if table.name == "events":
                self._do(self._connection.copy_records_to_table("event_ids", records=[(record[1],) for record in records], columns=("event_id",)))
        if table.name in _NUMBERED:
            query = f"SELECT coalesce(max(number), 0) FROM {table.name}"  # noqa: S608 - a fixed name
            self._continue(f"pg_get_serial_sequence('{table.name}', 'number')", self._do(self._connection.fetchval(query)))

    def last(self, table: str) -> int:
        sequence = "event_sequence" if table == "events" else "audit_number_seq"
        query = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"  # noqa: S608 - a fixed name
        return int(self._do(self._connection.fetchval(query)))

    def continue_after(self, table: str, last: int) -> None:
        self._continue("'event_sequence'" if table == "events" else "'audit_number_seq'", last)

    def commit(self) -> None:
        self._do(self._connection.execute("COMMIT"))

    def close(self) -> None:
        if not self._loop.is_closed():
            self._connection.terminate()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _open(self) -> asyncpg.Connection:
        await migrate(self._dsn)
        connection = await connect(self._dsn)
        await make_months(connection, datetime.now(UTC))  # before the first event of a month lies in the default partition
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        return connection

    def _continue(self, sequence: str, last: int) -> None:
        self._do(self._connection.execute(f"SELECT setval({sequence}, {max(last, 1)}, {str(last > 0).lower()})"))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        with in_words(self._dsn):
            try:
                done: T = self._loop.run_until_complete(_awaited(work))
            except asyncpg.DataError as error:
                raise DatabaseError(f"{named(self._dsn)} cannot hold a value: {error}") from error
            return done


async def _awaited(work: Any) -> Any:
    return await work


def _byte(value: int) -> bytes:
    return bytes((value,))


def _as(kind: Callable[[Any], Any] | None, value: Any) -> Any:
    if kind is UUID:
        return UUID(bytes=value)
    return value if kind is None else kind(value)
