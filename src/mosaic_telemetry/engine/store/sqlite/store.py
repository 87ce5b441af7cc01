"""The store itself: hands writing to the writer's thread, and reads through one connection a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID
from weakref import WeakSet

import apsw

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.accounts import Act, ApiKey, Bucket, FoundKey, IntakeKey, NewKey
from mosaic_telemetry.engine.store.sqlite import accounts, cells, usage
from mosaic_telemetry.engine.store.sqlite.changes import CellNumbers, apply_change, prepared
from mosaic_telemetry.engine.store.sqlite.checkpoints import Checkpointer
from mosaic_telemetry.engine.store.sqlite.connection import in_words, open_reader, open_writer
from mosaic_telemetry.engine.store.sqlite.events import Insertion, read_events
from mosaic_telemetry.engine.store.sqlite.presence import Presence
from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.engine.store.sqlite.writer import Writer
from mosaic_telemetry.engine.store.values import (
    CellState,
    Change,
    EventRow,
    Instance,
    RecordKey,
    Share,
    ShareKey,
    StoredCell,
    StoredEvent,
    TotalKey,
    Totals,
)
from mosaic_telemetry.forecast import CellKey

__all__ = ["SqliteStore"]


class SqliteStore:
    """A `Store` on one SQLite file, which several processes may use at once.

    Args:
        path: the file; made where it does not exist, in a directory that does.

    Raises:
        DatabaseError: it cannot be opened.
    """

    is_remote = False
    tells_duplicates = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts = Texts()
        self._numbers = CellNumbers()
        self._known_texts = Texts()  # for reading: what was committed stays
        self._local = threading.local()
        self._lock = threading.Lock()
        # Weak, so that a thread's connection goes when the thread does.
        self._readers: WeakSet[apsw.Connection] = WeakSet()
        self._closed = False
        connection = open_writer(path)
        self._presence = Presence(path)
        self._checkpointer = Checkpointer(path, connection)
        self._writer = Writer(connection, path, settle=self._settle, check=self._presence.check)

    def insert(self, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> Future[list[bool]]:
        return self._writer.submit(Insertion(self._texts, instance, received_ms, events))

    def horizon(self) -> int:
        with self._reading() as connection:
            return connection.execute("SELECT coalesce(max(sequence), 0) FROM events").get  # type: ignore[no-any-return]  # the column is an INTEGER

    def read_events(self, after: int, up_to: int, limit: int, instance: int | None = None) -> list[EventRow]:
        with self._reading() as connection:
            return read_events(connection, self._known_texts, (after, up_to, limit, instance))

    def state(self) -> CellState:
        with self._reading() as connection:
            return cells.read_state(connection)

    def find_cells(self, keys: Iterable[CellKey]) -> dict[CellKey, StoredCell]:
        with self._reading() as connection:
            return cells.find_cells(connection, keys)

    def find_shares(self, keys: Iterable[ShareKey]) -> dict[ShareKey, Share]:
        with self._reading() as connection:
            return cells.find_shares(connection, keys)

    def list_cells(self) -> dict[CellKey, StoredCell]:
        with self._reading() as connection:
            return cells.list_cells(connection)

    def list_shares(self) -> dict[ShareKey, Share]:
        with self._reading() as connection:
            return cells.list_shares(connection)

    def find_records(self) -> dict[RecordKey, bytes]:
        with self._reading() as connection:
            return cells.find_records(connection)

    def find_totals(self, first_day: int, last_day: int) -> dict[TotalKey, Totals]:
        with self._reading() as connection:
            return cells.find_totals(connection, first_day, last_day)

    def sum_totals(self, days: tuple[int, int], by: Sequence[str] = (), only: Mapping[str, str] | None = None) -> dict[tuple[int | str, ...], Totals]:
        with self._reading() as connection:
            return cells.sum_totals(connection, days, by, only or {})

    def apply(self, change: Change) -> Future[bool]:
        with self._reading() as reader:
            ready = prepared(reader, self._numbers, change)
        return self._writer.submit(lambda connection: apply_change(connection, self._texts, self._numbers, change, ready))

    def create_instance(  # noqa: PLR0913 - one argument a column
        self, instance_id: UUID, name: str, now_ms: int, *, key: NewKey | None = None, act: Act | None = None, local: bool = False
    ) -> Future[Instance]:
        return self._writer.submit(lambda connection: accounts.create_instance(connection, instance_id, name, now_ms, key=key, act=act, local=local))

    def instances(self) -> list[Instance]:
        with self._reading() as connection:
            return accounts.all_instances(connection)

    def find_instance(self, instance_id: UUID) -> Instance | None:
        with self._reading() as connection:
            return accounts.find_instance(connection, instance_id)

    def find_key(self, digest: bytes) -> Future[FoundKey | None]:
        found: Future[FoundKey | None] = Future()
        with self._reading() as connection:
            found.set_result(accounts.find_key(connection, digest))
        return found

    def list_keys(self, instance: int | None = None) -> list[ApiKey]:
        with self._reading() as connection:
            return accounts.list_keys(connection, instance)

    def add_key(self, instance: int, key: NewKey, act: Act | None = None) -> Future[ApiKey]:
        return self._writer.submit(lambda connection: accounts.add_key(connection, instance, key, act))

    def replace_keys(self, instance: int, key: NewKey, end_ms: int, act: Act | None = None) -> Future[ApiKey]:
        return self._writer.submit(lambda connection: accounts.replace_keys(connection, instance, key, end_ms, act))

    def revoke_keys(self, instance: int, now_ms: int, number: int | None = None, act: Act | None = None) -> Future[int]:
        return self._writer.submit(lambda connection: accounts.revoke_keys(connection, instance, now_ms, number, act))

    def note(self, act: Act) -> Future[None]:
        return self._writer.submit(lambda connection: accounts.note(connection, act))

    def acts(self, limit: int, before: int | None = None) -> list[Act]:
        with self._reading() as connection:
            return accounts.read_acts(connection, limit, before)

    def setting(self, name: str) -> str | None:
        with self._reading() as connection:
            return accounts.read_setting(connection, name)

    def keep_setting(self, name: str, value: str, act: Act | None = None, *, replace: bool = False) -> Future[str]:
        return self._writer.submit(lambda connection: accounts.keep_setting(connection, name, value, act, replace=replace))

    def change_setting(self, name: str, before: str, after: str) -> Future[bool]:
        return self._writer.submit(lambda connection: accounts.change_setting(connection, name, before, after))

    def add_intake(self, counts: Mapping[IntakeKey, int]) -> Future[None]:
        return self._writer.submit(lambda connection: usage.add_intake(connection, counts))

    def intake(self, first_day: int, last_day: int) -> dict[IntakeKey, int]:
        with self._reading() as connection:
            return usage.read_intake(connection, first_day, last_day)

    def settle(self, buckets: Mapping[str, Bucket], now_ms: int) -> Future[dict[str, float]]:
        return self._writer.submit(lambda connection: usage.settle(connection, buckets, now_ms))

    def forget_buckets(self, before_ms: int) -> Future[int]:
        return self._writer.submit(lambda connection: usage.forget_buckets(connection, before_ms))

    def sizes(self) -> dict[str, int]:
        with self._reading() as connection:
            return usage.sizes(connection)

    def observe(self, committed: Callable[[int, float], None]) -> None:
        self._writer.observe = committed

    def check(self) -> None:
        self._presence.check()
        with self._reading() as connection:
            connection.execute("SELECT version FROM cell_state").fetchone()

    def close(self) -> None:
        self._checkpointer.close()
        self._writer.close()
        with self._lock:
            self._closed = True
            for reader in list(self._readers):
                reader.close()
            self._readers.clear()

    def _settle(self, *, committed: bool) -> None:
        self._texts.settle(committed=committed)
        self._numbers.settle(committed=committed)

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """This thread's own connection for reading."""
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            self._presence.check()
            connection = open_reader(self._path)
            with self._lock:
                if self._closed:
                    connection.close()
                    raise DatabaseError(f"the database {self._path} is closed")
                self._readers.add(connection)
            self._local.connection = connection
        with in_words(self._path):
            yield connection
