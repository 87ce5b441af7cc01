"""The store itself: events in ClickHouse, all else as the store of the other database has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.clickhouse import events, slices
from mosaic_telemetry.engine.store.clickhouse.address import Address
from mosaic_telemetry.engine.store.clickhouse.ddl import EVENTS, statements
from mosaic_telemetry.engine.store.clickhouse.events import Deletions, read_events
from mosaic_telemetry.engine.store.clickhouse.inserting import Batch, Inserter
from mosaic_telemetry.engine.store.clickhouse.link import Link
from mosaic_telemetry.engine.store.clickhouse.settling import Settler
from mosaic_telemetry.engine.store.clickhouse.slices import Slices, SlicesStore
from mosaic_telemetry.engine.store.protocol import Store
from mosaic_telemetry.engine.store.values import Change, EventRow, StoredEvent

__all__ = ["OWN_SETTINGS", "ClickhouseStore"]

_TABLES = "clickhouse tables"
_VERSION = "1"

OWN_SETTINGS = (_TABLES, slices.NAME, events.NAME)
"""Names of settings in the other database that say what of this one is to be seen."""


class ClickhouseStore:
    """A `Store` on a ClickHouse database and another one beside it, which several processes may use at once.

    Args:
        address: of the ClickHouse database.
        accounts: the store that keeps all but the events; closed by `close`.
        connect: how to reach ClickHouse.
        sleep: how to wait for others, in seconds.

    Raises:
        DatabaseError: it cannot be opened.
    """

    is_remote = True
    tells_duplicates = False

    def __init__(self, address: Address, accounts: Store, *, connect: Callable[[Address], Link] = Link, sleep: Callable[[float], None] = time.sleep) -> None:
        self._name = address.name
        self._accounts = accounts
        try:
            self._link = connect(address)
        except BaseException:
            accounts.close()
            raise
        self._kept = SlicesStore(accounts, sleep)
        try:
            self._prepare(address)
        except BaseException:
            self._link.close()
            accounts.close()
            raise
        self._slices = self._kept.make()
        self._deletions = Deletions(self._link, accounts, self._kept)
        self._settler = Settler(self._link, self._kept, self._deletions)
        self._inserter = Inserter(self._link, address.insert_ms)
        self._applier = ThreadPoolExecutor(1, "mosaic-telemetry-deleting")
        self._closed = False
        # What the other database keeps is asked of its store, and by nothing between.
        self.state = accounts.state
        self.find_cells = accounts.find_cells
        self.find_shares = accounts.find_shares
        self.list_cells = accounts.list_cells
        self.list_shares = accounts.list_shares
        self.find_records = accounts.find_records
        self.find_totals = accounts.find_totals
        self.sum_totals = accounts.sum_totals
        self.create_instance = accounts.create_instance
        self.instances = accounts.instances
        self.find_instance = accounts.find_instance
        self.find_key = accounts.find_key
        self.list_keys = accounts.list_keys
        self.add_key = accounts.add_key
        self.replace_keys = accounts.replace_keys
        self.revoke_keys = accounts.revoke_keys
        self.note = accounts.note
        self.acts = accounts.acts
        self.setting = accounts.setting
        self.keep_setting = accounts.keep_setting
        self.change_setting = accounts.change_setting
        self.add_intake = accounts.add_intake
        self.intake = accounts.intake
        self.settle = accounts.settle
        self.forget_buckets = accounts.forget_buckets
        self.sizes = accounts.sizes

    def insert(self, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> Future[list[bool]]:
        return self._inserter.insert(Batch(instance, received_ms, events))

    def horizon(self) -> int:
        self._deletions.finish()
        self._slices = self._settler.settle()
        return self._slices.settled

    def read_events(self, after: int, up_to: int, limit: int, instance: int | None = None) -> list[EventRow]:
        self._deletions.finish()
        if up_to > self._slices.settled:  # what is settled stays as it is: only beyond it something may have come
            self._slices = self._kept.read() or Slices()
        return read_events(self._link, self._slices, (after, up_to, limit, instance))

    def apply(self, change: Change) -> Future[bool]:
        if not change.deleted:
            return self._accounts.apply(change)
        return self._applier.submit(self._apply, change)

    def observe(self, committed: Callable[[int, float], None]) -> None:
        self._inserter.observe = committed

    def check(self) -> None:
        self._accounts.check()
        self._link.rows("SELECT 1")

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._inserter.close()
        self._applier.shutdown()
        with suppress(DatabaseError):  # then it is done by whoever settles next
            self._settler.close()
        self._link.close()
        self._accounts.close()

    def _apply(self, change: Change) -> bool:
        self._deletions.finish()
        done = self._accounts.apply(replace(change, deleted=(), settings={**change.settings, **self._deletions.noted(change.deleted)})).result()
        if done:
            self._deletions.finish()
        return done

    def _prepare(self, address: Address) -> None:
        """Make the tables where they are missing."""
        if self._accounts.keep_setting(_TABLES, _VERSION).result() != _VERSION:
            raise DatabaseError(f"{self._name} was written by a newer mosaic-telemetry; upgrade this program")
        for statement in statements(address.cluster, address.ttl_days):
            self._link.command(statement)
        if self._kept.read() is None and self._link.rows(f"SELECT 1 FROM {EVENTS.name} LIMIT 1"):  # noqa: S608 - a fixed name
            raise DatabaseError(f"{self._name} holds events that belong to another accounts database than the one that is named")
