"""What the engine asks of a store.

Two laws bind every store:

1. When the future of `insert` resolves, the events that it calls new are durable; an id is called new once, ever. Only where a store
   does not tell duplicates may it be called new again; it is read, and so counted, once all the same.
2. `apply` makes the whole of a change or nothing of it, durably, and only upon the version that the change was computed from.

From the second it follows, whatever is killed when and however many processes keep the cells of one store, that each event is
counted once: see `mosaic_telemetry.engine.keeping`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from mosaic_telemetry.engine.store.accounts import AccountStore
from mosaic_telemetry.engine.store.values import (
    CellState,
    Change,
    EventRow,
    RecordKey,
    Share,
    ShareKey,
    StoredCell,
    StoredEvent,
    TotalKey,
    Totals,
)
from mosaic_telemetry.forecast import CellKey

__all__ = ["Store"]


class Store(AccountStore, Protocol):
    """Keeps events and cells, and those who use it. Every method may be called from any thread, blocks, and raises `DatabaseError`."""

    @property
    def is_remote(self) -> bool:
        """Whether asking may wait for another process or machine, so that no event loop should ask itself."""

    @property
    def tells_duplicates(self) -> bool:
        """Whether `insert` knows every id that was there before; where not, it may call an event new that will not be counted again."""

    def insert(self, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> Future[list[bool]]:
        """Keep events; resolves when they are durable, with whether each was new. Never blocks."""

    def horizon(self) -> int:
        """A sequence up to which all events can be read that there will ever be; 0 where there is none."""

    def read_events(self, after: int, up_to: int, limit: int, instance: int | None = None) -> list[EventRow]:
        """The first events whose sequence is above `after` and at most `up_to`, in their order; of one instance if it is given."""

    def state(self) -> CellState:
        """Which events the cells hold."""

    def find_cells(self, keys: Iterable[CellKey]) -> dict[CellKey, StoredCell]:
        """Those of these cells that there are."""

    def find_shares(self, keys: Iterable[ShareKey]) -> dict[ShareKey, Share]:
        """Those of these shares that there are."""

    def list_cells(self) -> dict[CellKey, StoredCell]:
        """All cells."""

    def list_shares(self) -> dict[ShareKey, Share]:
        """All shares."""

    def find_records(self) -> dict[RecordKey, bytes]:
        """All records of past forecasts."""

    def find_totals(self, first_day: int, last_day: int) -> dict[TotalKey, Totals]:
        """The daily totals of some days since 1970, both included."""

    def sum_totals(self, days: tuple[int, int], by: Sequence[str] = (), only: Mapping[str, str] | None = None) -> dict[tuple[int | str, ...], Totals]:
        """The daily totals from one day since 1970 to another, both included, added up by the store.

        Args:
            days: the first and the last day.
            by: the fields of `TotalKey` whose values name a sum, in this order; none for one sum with the empty name.
            only: values that fields other than the day must have.
        """

    def apply(self, change: Change) -> Future[bool]:
        """Make a change; resolves when it is durable with True, or with False where another was made since. Never blocks."""

    def observe(self, committed: Callable[[int, float], None]) -> None:
        """Call this, from now on, after each commit with how many writes shared it and the seconds it took; from any thread."""

    def check(self) -> None:
        """Raise `DatabaseError` if the store cannot answer."""

    def close(self) -> None:
        """Finish what was handed over, then let go of everything. May be called twice."""
