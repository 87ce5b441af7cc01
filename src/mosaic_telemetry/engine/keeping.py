"""Keeping the cells: they hold exactly the events of the window, whatever is killed when.

The table of events is the truth; cells, shares and totals follow it. The window is a stretch of events in the order in which
they were stored, between two watermarks: events are counted at its head and, when they are older than the window, taken out at
its tail. Both sums are computed from the events' own rows, outside any lock, and handed to the store as one change, which it
makes as a whole, and only if no other change came between. So a crash leaves a change made or not made, two processes that do
the same work at once do it once, and ingest pays nothing for it but the row.

Daily totals hold what the table of events holds: they lose an event when it is deleted, not when it leaves the window.

How events are weighed stands beside the watermarks: the landmark of their weights, and whether no instance may count for much
(a public server). Where that changes, all is counted anew.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mosaic_telemetry.engine.landmarks import landmark_at, moved
from mosaic_telemetry.engine.portions import Portion
from mosaic_telemetry.engine.rollup import DAY_MS, Counted, Weighing, add_up, count
from mosaic_telemetry.engine.scoring import settle
from mosaic_telemetry.engine.store import CellState, Change, EventRow, RecordKey, Share, ShareKey, Store, StoredCell, Totals
from mosaic_telemetry.forecast import Cell, CellKey, Counts, Record, contribution

__all__ = ["PRIVATE", "PUBLIC", "WINDOW_DAYS", "Keeper", "Retention"]

PRIVATE = "private 2"
"""`CellState.profile`: every event counts. The number is that of the way of counting: with another one all is counted anew."""

PUBLIC = "public 2"
"""`CellState.profile`: no instance counts for much."""

WINDOW_DAYS = 180
_LONGEST_WINDOW = 400  # weights span so much, with events that came late
_CHUNK = 16_384
_MOST = 32_768
"""Events that are counted at once, at most: what a portion costs beside its events is shared by more of them."""
_LEAST = 64
_LOOK_AHEAD = 1_000
"""Events beyond one from the future that are looked at, each time, for one that is old."""
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long events count, and how long they are kept.

    Attributes:
        window_days: days after receipt for which an event counts in predictions; at most 400.
        event_days: days after receipt after which an event is deleted, never before it has left the window; None keeps it for good.

    Raises:
        ValueError: a number of days is not above 0, or the window is too long.
    """

    window_days: float = WINDOW_DAYS
    event_days: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.window_days <= _LONGEST_WINDOW:
            raise ValueError(f"events count for more than 0 and at most {_LONGEST_WINDOW} days, not {self.window_days:g}")
        if self.event_days is not None and not self.event_days > 0:
            raise ValueError(f"events are kept for more than 0 days, not {self.event_days:g}")


def _untold(_done: int, _all: int) -> None:
    """Tells nobody how far it is."""


class Keeper:
    """Brings the cells of a store up to date. Safe to use from several threads; several keepers may work on one store.

    Args:
        store: whose cells these are.
        now: the time, in seconds since 1970.
        retention: how long events count and are kept.
        public: whether no instance may count for much; None leaves it as the store has it.

    Attributes:
        behind: whether the last portion was as large as they come, so that more is probably waiting.
    """

    def __init__(self, store: Store, now: Callable[[], float] = time.time, retention: Retention | None = None, *, public: bool | None = None) -> None:
        self._store = store
        self._now = now
        self._retention = retention or Retention()
        self._public = public
        self._lock = threading.Lock()
        self._cells: dict[CellKey, StoredCell] = {}
        self._shares: dict[ShareKey, Share] = {}
        self._records: dict[RecordKey, Record] | None = None
        self._version = -1
        self._tried = 0
        self.behind = False

    def step(self) -> int:
        """Do one portion of what is due; returns how many events it was about, 0 when nothing is due.

        Raises:
            DatabaseError: the store failed; what was not done is still due.
        """
        with self._lock:
            return self._count() or self._expire() or self._delete_old()

    def backlog(self) -> int:
        """How many events are durable and not counted, at most: numbers in their order may be left out.

        Raises:
            DatabaseError: the store failed.
        """
        return max(0, self._store.horizon() - self._store.state().counted)

    def catch_up(self, progress: Callable[[int, int], object] = _untold) -> None:
        """Count every event that is durable now.

        Args:
            progress: called after each portion with the place that was reached in the order of events, and the last one, both from where it began.

        Raises:
            DatabaseError: the store failed; what was not counted still will be.
        """
        with self._lock:
            horizon = self._store.horizon()
            began: int | None = None
            while not self._conforms(state := self._store.state()) or state.counted < horizon:
                began = state.counted if began is None or state.counted < began else began
                progress(state.counted - began, horizon - began)
                if not self._count():
                    return  # what stood up to the horizon was deleted meanwhile

    def erase(self, instance: int, progress: Callable[[int, int], object] = _untold) -> int:
        """Delete all events of an instance that are stored now, and take its share out of every cell; returns how many there were.

        Events that come meanwhile may stay. When this is killed, what was not erased is erased by calling it again.

        Args:
            instance: its number.
            progress: called after each portion with the place that was reached in the order of events, and the last one.

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
                change = self._taken_out(state, state, held, known, [row.sequence for row in rows])
                if self._apply(change):
                    erased += len(rows)
                    after = rows[-1].sequence
                    progress(after, horizon)

    def _conforms(self, state: CellState) -> bool:
        """Whether the cells were counted in the way in which they are to be."""
        wanted = state.profile.startswith("public") if self._public is None else self._public
        return state.profile == (PUBLIC if wanted else PRIVATE)

    def _count(self) -> int:
        state = self._store.state()
        if not self._conforms(state):
            wanted = state.profile.startswith("public") if self._public is None else self._public
            self._apply(Change(state.version, replace(state, counted=0, landmark=0, profile=PUBLIC if wanted else PRIVATE), reset=True))
            return 1
        today = int(self._now() * 1000) // DAY_MS
        landmark = landmark_at(today, self._retention.window_days)
        empty = state.counted <= state.expired
        if landmark > state.landmark and not empty and self._tried != today:
            self._tried = today
            if change := moved(self._store, state, landmark):
                self._apply(change)
                return 1
        size = _size(state)
        rows = self._store.read_events(state.counted, self._store.horizon(), size)
        self.behind = len(rows) == size
        if not rows:
            return 0
        portion = Portion.of(rows)
        window = self._within(rows, state.expired) if empty else rows
        expired = rows[len(rows) - len(window) - 1].sequence if len(window) < len(rows) else 0
        after = CellState(
            counted=rows[-1].sequence,
            expired=max(state.expired, expired),
            scored=max(state.scored, rows[-1].sequence),
            landmark=landmark if empty else state.landmark,
            profile=state.profile,
        )
        inside = portion if len(window) == len(rows) else Portion.of(window)
        counted = count(inside, Weighing(after.landmark, state.profile == PUBLIC))
        self._apply(replace(self._added(state, counted), after=after, totals=add_up(portion), records=self._settled(state, inside, today)))
        return len(rows)

    def _within(self, rows: Sequence[EventRow], expired: int) -> Sequence[EventRow]:
        """Those of the first events that go into empty cells: without those at the beginning that have left the window."""
        before = self._days_ago(self._retention.window_days)
        return rows[next((place for place, row in enumerate(rows) if row.sequence > expired and row.received_ms >= before), len(rows)) :]

    def _settled(self, state: CellState, portion: Portion, today: int) -> Mapping[RecordKey, bytes]:
        """The records, with the events among these that were never held against a forecast."""
        new = portion.beyond(state.scored)
        if not new.rows:
            return {}
        if self._records is None:
            self._records = {key: Record.from_bytes(data) for key, data in self._store.find_records().items()}
        settled = settle(new, self._records, lambda keys: self._load(state, keys), self._store.find_shares, today, public=state.profile == PUBLIC)
        self._records |= settled
        return {key: record.to_bytes() for key, record in settled.items()}

    def _expire(self) -> int:
        """Take out events that are older than the window."""
        state = self._store.state()
        rows = self._older(state.expired, state.counted, self._retention.window_days)
        if not rows:
            return 0
        self._apply(self._taken_out(state, replace(state, expired=rows[-1].sequence), rows, (), ()))
        return len(rows)

    def _delete_old(self) -> int:
        """Delete events that have left the window and are older than events are kept."""
        if self._retention.event_days is None:
            return 0
        state = self._store.state()
        rows = self._older(0, min(state.expired, state.counted), self._retention.event_days)
        if not rows:
            return 0
        self._apply(self._taken_out(state, state, (), rows, [row.sequence for row in rows]))
        return len(rows)

    def _older(self, after: int, up_to: int, days: float) -> list[EventRow]:
        """The first events that were received so many days ago.

        Events stand in the order in which they were stored: one that stands before an old one is as old, whatever the clock said when
        it came. So one that came under a clock far ahead goes with those after it, instead of holding them back.
        """
        before, now_ms = self._days_ago(days), self._days_ago(0)
        first = self._store.read_events(after, up_to, 1)
        if not first or before <= first[0].received_ms <= now_ms:
            return []
        rows = self._store.read_events(after, up_to, _CHUNK if first[0].received_ms < before else _LOOK_AHEAD)
        last = max((place for place, row in enumerate(rows) if row.received_ms < before), default=-1)
        return rows[: last + 1]

    def _days_ago(self, days: float) -> int:
        return int(self._now() * 1000 - days * DAY_MS)

    def _added(self, state: CellState, counted: Counted) -> Change:
        """The change that adds what was counted to cells and shares."""
        before = self._shares_of(state, counted.shares)
        after = {key: share.joined(before.get(key)) for key, share in counted.shares.items()}
        joined = Counter(cell for cell, instance in after if (cell, instance) not in before)
        newest: dict[CellKey, int] = {}
        for (cell, _), share in counted.shares.items():
            newest[cell] = max(newest.get(cell, 0), share.updated_ms)
        stored = self._load(state, newest)
        cells = _replaced(stored, before, after) if state.profile == PUBLIC else {key: _sum(stored.get(key), cell) for key, cell in counted.cells.items()}
        return Change(
            before=state.version,
            after=state,
            cells={key: _more(stored.get(key), cell, newest[key], joined[key]) for key, cell in cells.items()},
            shares=after,
        )

    def _taken_out(self, before: CellState, after: CellState, held: Sequence[EventRow], known: Sequence[EventRow], deleted: Sequence[int]) -> Change:
        """The change that takes events out: those of the window out of cells and shares, those that are deleted out of totals."""
        gone = count(held, Weighing(before.landmark, before.profile == PUBLIC))
        shares = self._store.find_shares(gone.shares)
        left = {key: shares[key].without(share) for key, share in gone.shares.items()}
        redated = self._redated(before, after, held, {key: share for key, share in left.items() if share and share.updated_ms == gone.shares[key].updated_ms})
        left |= redated
        parted = {key for key, share in left.items() if share is None}
        fewer = Counter(cell for cell, _ in parted)
        stored = self._load(before, {key for key, _ in shares})
        cells = _replaced(stored, shares, left) if before.profile == PUBLIC else {key: _difference(stored[key], cell) for key, cell in gone.cells.items()}
        return Change(
            before=before.version,
            after=after,
            cells={key: _less(stored[key], cell, fewer[key]) for key, cell in cells.items()},
            shares=left,
            renewed=sorted({cell for cell, instance in parted | redated.keys() if shares[cell, instance].updated_ms == stored[cell].updated_ms}, key=repr),
            totals={key: Totals(*[-number for number in total]) for key, total in add_up(known).items()},
            deleted=deleted,
        )

    def _redated(self, before: CellState, after: CellState, gone: Sequence[EventRow], shares: Mapping[ShareKey, Share]) -> dict[ShareKey, Share]:
        """Shares that lost their newest event and not all of them, dated by what is left: only where a clock once went backwards."""
        weighing, taken = Weighing(before.landmark, before.profile == PUBLIC), {row.sequence for row in gone}
        newest: dict[ShareKey, int] = {}
        for instance in {instance for _, instance in shares}:
            place = after.expired
            while rows := self._store.read_events(place, before.counted, _CHUNK, instance):
                place = rows[-1].sequence
                for key, share in count([row for row in rows if row.sequence not in taken], weighing).shares.items():
                    newest[key] = max(newest.get(key, 0), share.updated_ms)
        return {key: replace(share, updated_ms=newest[key]) for key, share in shares.items()}

    def _load(self, state: CellState, keys: Iterable[CellKey]) -> dict[CellKey, StoredCell]:
        """The cells as they are at this state; what this keeper wrote itself it remembers."""
        self._remember(state)
        keys = list(keys)
        self._cells |= self._store.find_cells(key for key in keys if key not in self._cells)
        return {key: self._cells[key] for key in keys if key in self._cells}

    def _shares_of(self, state: CellState, keys: Collection[ShareKey]) -> dict[ShareKey, Share]:
        """The shares as they are at this state, likewise; not those of a public server, which are as large as cells."""
        if state.profile == PUBLIC:
            return dict(self._store.find_shares(keys))
        self._remember(state)
        self._shares |= self._store.find_shares([key for key in keys if key not in self._shares])
        return {key: self._shares[key] for key in keys if key in self._shares}

    def _remember(self, state: CellState) -> None:
        """Forget what is not as it is at this state, or too much."""
        if self._version != state.version:
            self._cells.clear()
            self._shares.clear()
            self._version = state.version
        for memory in (self._cells, self._shares):
            if len(memory) > _REMEMBERED:
                memory.clear()

    def _apply(self, change: Change) -> bool:
        """Hand a change to the store; False where another came between, and all is to be computed anew."""
        known, self._version = self._version, -1
        if not self._store.apply(change).result():
            self._records = None
            return False
        if known != change.before or change.reset:
            self._cells.clear()
            self._shares.clear()
        for share_key, share in change.shares.items():
            if share is None or share.cell is not None:
                self._shares.pop(share_key, None)
            else:
                self._shares[share_key] = share
        for key, cell in change.cells.items():
            if cell is None or key in change.renewed:
                self._cells.pop(key, None)
            else:
                self._cells[key] = cell
        self._version = change.before + 1
        return True


def _size(state: CellState) -> int:
    """How many events to count at once: few while little is known, so that forecasts can be held against what comes next.

    What is known is told by the watermarks: the cells of a public server hold far fewer tasks than were counted, if few reported them.
    """
    if state.counted < state.scored:
        return _MOST
    return min(max((state.counted - state.expired) // 4, _LEAST), _MOST)


def _sum(before: StoredCell | None, update: Cell) -> Cell:
    if before is None:  # a copy of its own: what was counted is a piece of the vectors of a whole portion, which it would keep in memory
        return Cell(Counts(update.counts.keys.copy(), update.counts.counts.copy()))
    cell = before.cell.copy()
    cell.merge(update)
    return cell


def _difference(before: StoredCell, update: Cell) -> Cell:
    cell = before.cell.copy()
    cell.subtract(update)
    return cell


def _replaced(stored: Mapping[CellKey, StoredCell], before: Mapping[ShareKey, Share], after: Mapping[ShareKey, Share | None]) -> dict[CellKey, Cell]:
    """The cells of a public server, with what some shares add to them replaced by what they add now."""
    cells: dict[CellKey, Cell] = {}
    for (key, instance), share in after.items():
        cell = cells.setdefault(key, stored[key].cell.copy() if key in stored else Cell())
        # Adding comes first, since nothing can be taken out that is not there.
        if share is not None and share.cell is not None:
            cell.merge(contribution(share.cell))
        old = before.get((key, instance))
        if old is not None and old.cell is not None:
            cell.subtract(contribution(old.cell))
    return cells


def _more(before: StoredCell | None, cell: Cell, newest: int, joined: int) -> StoredCell:
    if before is None:
        return StoredCell(cell, newest, joined)
    return StoredCell(cell, max(before.updated_ms, newest), before.instances + joined)


def _less(before: StoredCell, cell: Cell, parted: int) -> StoredCell | None:
    return StoredCell(cell, before.updated_ms, before.instances - parted) if cell.events else None
