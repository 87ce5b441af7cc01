"""The store itself: hands everything to the loop that has the connections, and waits where the caller does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from uuid import UUID

from mosaic_telemetry.engine.store.accounts import Act, ApiKey, Bucket, FoundKey, IntakeKey, NewKey
from mosaic_telemetry.engine.store.postgres import accounts, cells, usage
from mosaic_telemetry.engine.store.postgres.events import Batch, read_events, read_horizon
from mosaic_telemetry.engine.store.postgres.finding import KeyFinder
from mosaic_telemetry.engine.store.postgres.inserting import Inserter
from mosaic_telemetry.engine.store.postgres.link import Link
from mosaic_telemetry.engine.store.postgres.migrations import migrate
from mosaic_telemetry.engine.store.postgres.texts import Texts
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

__all__ = ["PostgresStore"]

_CONNECTIONS = 8


class PostgresStore:
    """A `Store` on a PostgreSQL database, which several processes may use at once.

    Args:
        dsn: a URL as libpq takes it: `postgresql://user:password@host:port/database`.

    Raises:
        DatabaseError: it cannot be opened.
    """

    is_remote = True
    tells_duplicates = True

    def __init__(self, dsn: str) -> None:
        self._texts = Texts()
        self._link = Link(dsn, _CONNECTIONS)
        try:
            self._link.start(migrate(dsn)).result()
        except BaseException:
            self._link.close()
            raise
        self._inserter = Inserter(self._link, self._texts)
        self._keys = KeyFinder(self._link)

    def insert(self, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> Future[list[bool]]:
        return self._inserter.insert(Batch(instance, received_ms, events))

    def horizon(self) -> int:
        return self._link.use(read_horizon).result()

    def read_events(self, after: int, up_to: int, limit: int, instance: int | None = None) -> list[EventRow]:
        return self._link.use(lambda connection: read_events(connection, self._texts, (after, up_to, limit, instance))).result()

    def state(self) -> CellState:
        return self._link.use(cells.read_state).result()

    def find_cells(self, keys: Iterable[CellKey]) -> dict[CellKey, StoredCell]:
        wanted = list(keys)
        return self._link.use(lambda connection: cells.find_cells(connection, wanted)).result() if wanted else {}

    def find_shares(self, keys: Iterable[ShareKey]) -> dict[ShareKey, Share]:
        wanted = list(keys)
        return self._link.use(lambda connection: cells.find_shares(connection, wanted)).result() if wanted else {}

    def list_cells(self) -> dict[CellKey, StoredCell]:
        return self._link.use(cells.list_cells).result()

    def list_shares(self) -> dict[ShareKey, Share]:
        return self._link.use(cells.list_shares).result()

    def find_records(self) -> dict[RecordKey, bytes]:
        return self._link.use(cells.find_records).result()

    def find_totals(self, first_day: int, last_day: int) -> dict[TotalKey, Totals]:
        found = self.sum_totals((first_day, last_day), TotalKey._fields)
        return {TotalKey(*key): total for key, total in found.items()}  # type: ignore[arg-type]  # a day, then texts

    def sum_totals(self, days: tuple[int, int], by: Sequence[str] = (), only: Mapping[str, str] | None = None) -> dict[tuple[int | str, ...], Totals]:
        return self._link.use(lambda connection: cells.sum_totals(connection, self._texts, days, by, only or {})).result()

    def apply(self, change: Change) -> Future[bool]:
        return self._link.use(lambda connection: cells.apply_change(connection, self._texts, change))

    def create_instance(  # noqa: PLR0913 - one argument a column
        self, instance_id: UUID, name: str, now_ms: int, *, key: NewKey | None = None, act: Act | None = None, local: bool = False
    ) -> Future[Instance]:
        return self._link.write(lambda connection: accounts.create_instance(connection, instance_id, name, now_ms, key=key, act=act, local=local))

    def instances(self) -> list[Instance]:
        return self._link.use(accounts.all_instances).result()

    def find_instance(self, instance_id: UUID) -> Instance | None:
        return self._link.use(lambda connection: accounts.find_instance(connection, instance_id)).result()

    def find_key(self, digest: bytes) -> Future[FoundKey | None]:
        return self._keys.find(digest)

    def list_keys(self, instance: int | None = None) -> list[ApiKey]:
        return self._link.use(lambda connection: accounts.list_keys(connection, instance)).result()

    def add_key(self, instance: int, key: NewKey, act: Act | None = None) -> Future[ApiKey]:
        return self._link.write(lambda connection: accounts.add_key(connection, instance, key, act))

    def replace_keys(self, instance: int, key: NewKey, end_ms: int, act: Act | None = None) -> Future[ApiKey]:
        return self._link.write(lambda connection: accounts.replace_keys(connection, instance, key, end_ms, act))

    def revoke_keys(self, instance: int, now_ms: int, number: int | None = None, act: Act | None = None) -> Future[int]:
        return self._link.write(lambda connection: accounts.revoke_keys(connection, instance, now_ms, number, act))

    def note(self, act: Act) -> Future[None]:
        return self._link.write(lambda connection: accounts.note(connection, act))

    def acts(self, limit: int, before: int | None = None) -> list[Act]:
        return self._link.use(lambda connection: accounts.read_acts(connection, limit, before)).result()

    def setting(self, name: str) -> str | None:
        return self._link.use(lambda connection: accounts.read_setting(connection, name)).result()

    def keep_setting(self, name: str, value: str, act: Act | None = None, *, replace: bool = False) -> Future[str]:
        return self._link.write(lambda connection: accounts.keep_setting(connection, name, value, act, replace=replace))

    def change_setting(self, name: str, before: str, after: str) -> Future[bool]:
        return self._link.write(lambda connection: accounts.change_setting(connection, name, before, after))

    def add_intake(self, counts: Mapping[IntakeKey, int]) -> Future[None]:
        return self._link.write(lambda connection: usage.add_intake(connection, counts))

    def intake(self, first_day: int, last_day: int) -> dict[IntakeKey, int]:
        return self._link.use(lambda connection: usage.read_intake(connection, first_day, last_day)).result()

    def settle(self, buckets: Mapping[str, Bucket], now_ms: int) -> Future[dict[str, float]]:
        return self._link.write(lambda connection: usage.settle(connection, buckets, now_ms))

    def forget_buckets(self, before_ms: int) -> Future[int]:
        return self._link.write(lambda connection: usage.forget_buckets(connection, before_ms))

    def sizes(self) -> dict[str, int]:
        return self._link.use(usage.sizes).result()

    def observe(self, committed: Callable[[int, float], None]) -> None:
        self._inserter.observe = committed

    def check(self) -> None:
        self.state()

    def close(self) -> None:
        self._link.close()
