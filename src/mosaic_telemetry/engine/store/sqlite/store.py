"""The store itself: hands writing to the writer's thread, and reads through one connection a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID
from weakref import WeakSet

import apsw

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.protocol import Instance, StoredCell, StoredEvent
from mosaic_telemetry.engine.store.sqlite import accounts, cells
from mosaic_telemetry.engine.store.sqlite.connection import in_words, open_reader, open_writer
from mosaic_telemetry.engine.store.sqlite.events import insert_events
from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.engine.store.sqlite.writer import Writer
from mosaic_telemetry.forecast import CellKey

__all__ = ["SqliteStore"]


class _RollUp:
    """The writer's chore."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def is_due(self, connection: apsw.Connection) -> bool:
        return cells.is_behind(connection)

    def run(self, connection: apsw.Connection) -> None:
        cells.roll_up(connection, self._texts)


class SqliteStore:
    """A `Store` on one SQLite file, which several processes may use at once.

    Args:
        path: the file; made where it does not exist, in a directory that does.

    Raises:
        DatabaseError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts = Texts()
        self._local = threading.local()
        self._lock = threading.Lock()
        # Weak, so that a thread's connection goes when the thread does.
        self._readers: WeakSet[apsw.Connection] = WeakSet()
        self._closed = False
        self._writer = Writer(open_writer(path), path, chore=_RollUp(self._texts), forget=self._texts.forget)

    def insert(self, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> Future[list[bool]]:
        return self._writer.submit(lambda connection: insert_events(connection, self._texts, instance, received_ms, events))

    def roll_up(self) -> Future[int]:
        return self._writer.submit(self._count_all)

    def find_cell(self, key: CellKey, at_least: int = 1) -> StoredCell | None:
        with self._reading() as connection:
            return cells.find_cell(connection, key, at_least)

    def instance_by_key(self, digest: bytes) -> Instance | None:
        with self._reading() as connection:
            return accounts.instance_by_key(connection, digest)

    def instances(self) -> list[Instance]:
        with self._reading() as connection:
            return accounts.all_instances(connection)

    def create_instance(self, instance_id: UUID, name: str, digest: bytes | None, now_ms: int, *, local: bool = False) -> Future[Instance]:
        return self._writer.submit(
            partial(accounts.create_instance, instance_id=instance_id, name=name, digest=digest, now_ms=now_ms, local=local),
        )

    def replace_keys(self, instance_id: UUID, digest: bytes | None, now_ms: int) -> Future[int]:
        return self._writer.submit(partial(accounts.replace_keys, instance_id=instance_id, digest=digest, now_ms=now_ms))

    def check(self) -> None:
        with self._reading() as connection:
            connection.execute("SELECT sequence FROM watermark").fetchone()

    def close(self) -> None:
        self._writer.close()
        with self._lock:
            self._closed = True
            for reader in list(self._readers):
                reader.close()
            self._readers.clear()

    def _count_all(self, connection: apsw.Connection) -> int:
        total = 0
        while counted := cells.roll_up(connection, self._texts):
            total += counted
        return total

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """This thread's own connection for reading."""
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = open_reader(self._path)
            with self._lock:
                if self._closed:
                    connection.close()
                    raise DatabaseError(f"the database {self._path} is closed")
                self._readers.add(connection)
            self._local.connection = connection
        with in_words(self._path):
            yield connection
