"""The landmark of weights (see `mosaic_telemetry.forecast.weights`): where it lies, and how it moves on.

It goes by the calendar alone, so that cells are the same whoever's events came first: before all that a window can hold, in steps of
three half-lives.
"""

from __future__ import annotations

import math
from dataclasses import replace

from mosaic_telemetry.engine.portions import Portion
from mosaic_telemetry.engine.store import CellState, Change, Share, ShareKey, Store, StoredCell
from mosaic_telemetry.forecast import HALF_LIFE_DAYS, LARGEST_AGE, Cell, CellKey, contribution, days_of

__all__ = ["landmark_at", "moved"]

_LATE = 90  # see `days_of`
_SLACK = 10  # events leave the window somewhat after their time
_STEP = 3 * HALF_LIFE_DAYS
_CHUNK = 16_384


def landmark_at(today: int, window_days: float) -> int:
    """The landmark on a day since 1970, of a window of so many days."""
    return (today - math.ceil(window_days) - _LATE - _SLACK) // _STEP * _STEP


def moved(store: Store, state: CellState, landmark: int) -> Change | None:
    """The change that moves the landmark on to a later one; None where an event in the cells does not allow it, since a clock was wrong.

    Every weight is halved once for each half-life, exactly.

    Raises:
        DatabaseError: the store cannot be read.
    """
    first, last = _ages(store, state)
    if first < landmark - state.landmark or last > LARGEST_AGE:
        return None
    halvings = (landmark - state.landmark) // HALF_LIFE_DAYS
    shares: dict[ShareKey, Share] = {
        key: Share(share.events, share.updated_ms, share.cell.halved(halvings)) for key, share in store.list_shares().items() if share.cell is not None
    }
    scaled: dict[CellKey, Cell] = {}
    for (key, _), share in shares.items():
        if share.cell is not None:
            scaled.setdefault(key, Cell()).merge(contribution(share.cell))
    return Change(
        before=state.version,
        after=replace(state, landmark=landmark),
        cells={
            key: StoredCell(scaled[key] if key in scaled else stored.cell.halved(halvings), stored.updated_ms, stored.instances)
            for key, stored in store.list_cells().items()
        },
        shares=shares,
    )


def _ages(store: Store, state: CellState) -> tuple[int, int]:
    """The smallest and the largest number of days from the landmark to an event in the cells."""
    first, last = LARGEST_AGE, 0
    after = state.expired
    while rows := store.read_events(after, state.counted, _CHUNK):
        after = rows[-1].sequence
        if (portion := Portion.of(rows)).rows:
            ages = days_of(portion.timestamps_ms, portion.received_ms) - state.landmark
            first, last = min(first, int(ages.min())), max(last, int(ages.max()))
    return first, last
