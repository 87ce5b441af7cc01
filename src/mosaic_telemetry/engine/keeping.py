"""Keeping the cells: they hold exactly the events of the window, whatever is killed when.

The table of events is the truth; cells, shares and totals follow it. The window is a stretch of events in the order in which
they were stored, between two watermarks: events are counted at its head and, when they are older than the window, taken out at
its tail. Both sums are computed from the events' own rows, outside any lock, and handed to the store as one change, which it
makes as a whole, and only if no other change came between. So a crash leaves a change made or not made, two processes that do
the same work at once do it once, and ingest pays nothing for it but the row.

Daily totals hold what the table of events holds: they lose an event when it is deleted, not when it leaves the window.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mosaic_telemetry.engine.rollup import DAY_MS, Counted, count
from mosaic_telemetry.engine.store import CellState, Change, EventRow, Share, Store, StoredCell, Totals
from mosaic_telemetry.forecast import Cell, CellKey

__all__ = ["WINDOW_DAYS", "Keeper", "Retention"]

WINDOW_DAYS = 180
_CHUNK = 16_384
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long events count, and how long they are kept.

    Attributes:
        window_days: days after receipt for which an event counts in predictions.
        event_days: days after receipt after which an event is deleted, never before it has left the window; None keeps it for good.
    """

    window_days: float = WINDOW_DAYS
    event_days: float | None = None


class Keeper:
    """Brings the cells of a store up to date. Safe to use from several threads; several keepers may work on one store.

    Args:
        store: whose cells these are.
        now: the time, in seconds since 1970.
        retention: how long events count and are kept.
    """

    def __init__(self, store: Store, now: Callable[[], float] = time.time, retention: Retention | None = None) -> None:
        self._store = store
        self._now = now
        self._retention = retention or Retention()
        self._lock = threading.Lock()
        self._cells: dict[CellKey, StoredCell] = {}
        self._version = -1

    def step(self) -> int:
        """Do one portion of what is due; returns how many events it was about, 0 when nothing is due.

        Raises:
            DatabaseError: the store failed; what was not done is still due.
        """
        with self._lock:
            return self._count() or self._expire() or self._delete_old()

    def catch_up(self) -> None:
        """Count every event that is durable now.

        Raises:
            DatabaseError: the store failed; what was not counted still will be.
        """
        with self._lock:
            horizon = self._store.horizon()
            while self._store.state().counted < horizon:
                self._count()

    def erase(self, instance: int) -> int:
        """Delete all events of an instance that are stored now, and take its share out of every cell; returns how many there were.

        Events that come meanwhile may stay. When this is killed, what was not erased is erased by calling it again.

        Raises:
            DatabaseError: the store failed.
        """
        erased = after = 0
        horizon = self._store.horizon()
        while True:
            with self._lock:
                state = self._store.state()
                rows = self._store.read_events(after, horizon, _CHUNK, instance)
                if not rows:
                    return erased
                held = [row for row in rows if state.expired < row.sequence <= state.counted]
                known = [row for row in rows if row.sequence <= state.counted]
                change = self._taken_out(state, state, count(held), count(known), [row.sequence for row in rows])
                if self._apply(change):
                    erased += len(rows)
                    after = rows[-1].sequence

    def _count(self) -> int:
        state = self._store.state()
        rows = self._store.read_events(state.counted, self._store.horizon(), _CHUNK)
        if not rows:
            return 0
        counted = count(rows)
        shares = self._store.find_shares(counted.shares)
        cells = self._load(state, counted.cells)
        new = {key: share.joined(shares.get(key)) for key, share in counted.shares.items()}
        joined = Counter(cell for cell, instance in new if (cell, instance) not in shares)
        newest: dict[CellKey, int] = {}
        for (cell, _), share in counted.shares.items():
            newest[cell] = max(newest.get(cell, 0), share.updated_ms)
        change = Change(
            before=state.version,
            after=replace(state, counted=rows[-1].sequence),
            cells={key: _more(cells.get(key), cell, newest[key], joined[key]) for key, cell in counted.cells.items()},
            shares=new,
            totals=counted.totals,
        )
        self._apply(change)
        return len(rows)

    def _expire(self) -> int:
        """Take out events that are older than the window."""
        state = self._store.state()
        rows = self._older(state.expired, state.counted, self._retention.window_days)
        if not rows:
            return 0
        self._apply(self._taken_out(state, replace(state, expired=rows[-1].sequence), count(rows), None, ()))
        return len(rows)

    def _delete_old(self) -> int:
        """Delete events that have left the window and are older than events are kept."""
        if self._retention.event_days is None:
            return 0
        state = self._store.state()
        rows = self._older(0, state.expired, self._retention.event_days)
        if not rows:
            return 0
        self._apply(self._taken_out(state, state, None, count(rows), [row.sequence for row in rows]))
        return len(rows)

    def _older(self, after: int, up_to: int, days: float) -> list[EventRow]:
        """The first events that were received so many days ago, up to the first that was not."""
        before = int(self._now() * 1000 - days * DAY_MS)
        first = self._store.read_events(after, up_to, 1)
        if not first or first[0].received_ms >= before:
            return []
        rows = self._store.read_events(after, up_to, _CHUNK)
        return rows[: next((place for place, row in enumerate(rows) if row.received_ms >= before), len(rows))]

    def _taken_out(self, before: CellState, after: CellState, cells: Counted | None, totals: Counted | None, deleted: Sequence[int]) -> Change:
        """The change that takes events out of cells and shares, or out of totals."""
        gone = cells or Counted({}, {}, {})
        shares = self._store.find_shares(gone.shares)
        stored = self._load(before, gone.cells)
        left = {key: _less_of_a_share(shares[key], share) for key, share in gone.shares.items()}
        parted = {key for key, share in left.items() if share is None}
        fewer = Counter(cell for cell, _ in parted)
        return Change(
            before=before.version,
            after=after,
            cells={key: _less(stored[key], cell, fewer[key]) for key, cell in gone.cells.items()},
            shares=left,
            renewed=sorted({cell for cell, instance in parted if shares[cell, instance].updated_ms == stored[cell].updated_ms}, key=repr),
            totals={key: Totals(*[-number for number in total]) for key, total in totals.totals.items()} if totals else {},
            deleted=deleted,
        )

    def _load(self, state: CellState, keys: Iterable[CellKey]) -> dict[CellKey, StoredCell]:
        """The cells as they are at this state; what this keeper wrote itself it remembers."""
        if self._version != state.version or len(self._cells) > _REMEMBERED:
            self._cells.clear()
            self._version = state.version
        keys = list(keys)
        self._cells |= self._store.find_cells(key for key in keys if key not in self._cells)
        return {key: self._cells[key] for key in keys if key in self._cells}

    def _apply(self, change: Change) -> bool:
        """Hand a change to the store; False where another came between, and all is to be computed anew."""
        self._version = -1
        if not self._store.apply(change).result():
            return False
        for key, cell in change.cells.items():
            if cell is None or key in change.renewed:
                self._cells.pop(key, None)
            else:
                self._cells[key] = cell
        self._version = change.before + 1
        return True


def _more(before: StoredCell | None, update: Cell, newest: int, joined: int) -> StoredCell:
    if before is None:
        return StoredCell(update, newest, joined)
    cell = before.cell.copy()
    cell.merge(update)
    return StoredCell(cell, max(before.updated_ms, newest), before.instances + joined)


def _less(before: StoredCell, update: Cell, parted: int) -> StoredCell | None:
    cell = before.cell.copy()
    cell.subtract(update)
    return StoredCell(cell, before.updated_ms, before.instances - parted) if cell.events else None


def _less_of_a_share(before: Share, update: Share) -> Share | None:
    return Share(before.events - update.events, before.updated_ms) if before.events > update.events else None
