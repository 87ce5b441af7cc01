"""The few things that are asked of ClickHouse, and its errors in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from urllib3.exceptions import HTTPError

from mosaic_telemetry.engine.errors import DatabaseBusyError, DatabaseError
from mosaic_telemetry.engine.store.clickhouse.address import Address
from mosaic_telemetry.engine.store.clickhouse.ddl import Definition, local_name

__all__ = ["Link", "literal"]

T = TypeVar("T")

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 60
_TRIES = 3
_PAUSE = 0.2
# ClickHouse's numbers of errors: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_NOT_LET_IN = {192, 193, 194, 516}
_NO_DATABASE = {81}
_NOT_ALLOWED = {497}
_PASSING = {3, 159, 160, 164, 202, 209, 210, 225, 241, 242, 243, 252, 254, 285, 286, 289, 319, 999}
# A majority of a shard's replicas has an insert before it is acknowledged.
_QUORUM = {"insert_quorum": "auto", "distributed_foreground_insert": "1"}
# One process at a time writes the settled tables, so that they can be read in the order of writing from any replica.
_IN_ORDER = {"insert_quorum_parallel": "0"}
# However a server is set up, what is inserted at once lies in one part of each partition: it is seen as a whole or not at all.
_AS_ONE = {"async_insert": "0", "min_insert_block_size_rows": "1000000", "min_insert_block_size_bytes": "0", "max_partitions_per_insert_block": "0"}
_READ_IN_ORDER = {"select_sequential_consistency": "1"}


class Link:
    """A client of one ClickHouse. Safe to use from several threads.

    Args:
        address: of the database.

    Raises:
        DatabaseError: it cannot be reached.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._cluster = address.cluster
        with self._in_words():
            self._client = clickhouse_connect.get_client(
                host=address.host,
                port=address.port,
                username=address.user,
                password=address.password,
                database=address.database,
                secure=address.secure,
                compress="zstd",
                connect_timeout=_CONNECT_SECONDS,
                send_receive_timeout=_ANSWER_SECONDS,
                autogenerate_session_id=False,  # statements of several threads run side by side
                dedicated_pool=True,
                client_name="mosaic-telemetry",
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self._in_words():
            return [tuple(row) for row in self._client.query(query, settings=self._reading).result_rows]

    def columns(self, query: str) -> list[Sequence[Any]]:
        """The columns of a query; none where there are no rows."""
        with self._in_words():
            found = self._client.query(query, settings=self._reading, column_oriented=True)
            return list(found.result_columns)

    def insert(self, table: Definition, columns: Mapping[str, Sequence[Any]], token: str, *, in_order: bool = False) -> None:
        """Insert rows as one block, durably; tried again where the connection fails, which stores nothing twice.

        Args:
            table: into which.
            columns: the values by column, equally many.
            token: what no other block has; by it ClickHouse knows one that it has already.
            in_order: whether others read these rows only after this has returned.
        """
        settings = {**_AS_ONE, "insert_deduplication_token": token, "insert_deduplicate": "1"}
        if self._cluster is not None:
            settings |= _QUORUM | (_IN_ORDER if in_order else {})
        self._tried(
            lambda: self._client.insert(
                table.name,
                [columns[name] for name in table.columns],
                column_names=list(table.columns),
                column_type_names=list(table.columns.values()),
                column_oriented=True,
                settings=settings,
            )
        )

    def delete(self, table: Definition, condition: str) -> None:
        """Delete rows, on all replicas; they are gone from every answer when this returns, and from the disk when ClickHouse merges next."""
        with self._in_words():
            self._client.command(f"DELETE FROM {local_name(table, self._cluster)} WHERE {condition}", settings={"lightweight_deletes_sync": "2"})  # noqa: S608 - fixed names, numbers, hexadecimals

    def empty(self, table: Definition) -> None:
        """Delete all rows."""
        self.command(f"TRUNCATE TABLE {local_name(table, self._cluster)}")

    def command(self, statement: str) -> None:
        """Run a statement."""
        with self._in_words():
            self._client.command(statement)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    @property
    def _reading(self) -> dict[str, Any]:
        return {} if self._cluster is None else dict(_READ_IN_ORDER)

    def _tried(self, work: Callable[[], object]) -> None:
        for left in range(_TRIES - 1, -1, -1):
            try:
                with self._in_words():
                    work()
            except DatabaseBusyError:
                if not left:
                    raise
                time.sleep(_PAUSE * (_TRIES - left))
            else:
                return

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn an error of ClickHouse within the block into a `DatabaseError` of one line, which names no password."""
        name = self._address.name
        try:
            yield
        except ClickHouseError as error:
            code = getattr(error, "code", None)
            if code in _NOT_LET_IN:
                raise DatabaseError(f"{name} does not let this user in: {_line(error)}") from error
            if code in _NO_DATABASE:
                raise DatabaseError(f"there is no such database at {name}; make it with CREATE DATABASE") from error
            if code in _NOT_ALLOWED:
                raise DatabaseError(f"this user may not do that in {name}: {_line(error)}") from error
            if code in _PASSING or (code is None and isinstance(error, OperationalError)):
                raise DatabaseBusyError(f"the database {name} cannot be used at the moment: {_line(error)}") from error
            raise DatabaseError(f"the database {name} failed: {_line(error)}") from error
        except (HTTPError, OSError) as error:
            raise DatabaseBusyError(f"the database {name} cannot be used at the moment: {_line(error)}") from error


def literal(value: bytes) -> str:
    """Bytes in a statement."""
    return f"unhex('{value.hex()}')"


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
