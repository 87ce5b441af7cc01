"""Holding the cells against the events: whether what was counted bit by bit is what one count of everything gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

from mosaic_telemetry.engine.keeping import PUBLIC
from mosaic_telemetry.engine.rollup import Counted, Weighing, add_up, added, count, merged
from mosaic_telemetry.engine.store import Store, TotalKey, Totals
from mosaic_telemetry.forecast import CellKey

__all__ = ["differences"]

K = TypeVar("K")
V = TypeVar("V")

_CHUNK = 16_384
_EVER = range(-1_000_000_000, 1_000_000_000)


def differences(store: Store) -> list[str]:
    """What of the cells, shares and totals is not what the events come to, a line each; empty where all is right.

    Reads every event. Meaningful only while nobody changes cells: where somebody does, the first line says so.

    Raises:
        DatabaseError: the store cannot be read.
    """
    state = store.state()
    window = _recount(store, state.expired, state.counted, Weighing(state.landmark, state.profile == PUBLIC))
    stored = store.list_cells()
    found = [
        *_unlike("cell", {key: cell.cell for key, cell in stored.items()}, window.of_shares()),
        *_unlike("share", store.list_shares(), window.shares),
        *_unlike("total", store.find_totals(_EVER.start, _EVER.stop), _totals(store, state.counted)),
        *_unlike("number of instances of cell", {key: cell.instances for key, cell in stored.items()}, _instances(window)),
        *_unlike("time of cell", {key: cell.updated_ms for key, cell in stored.items()}, _newest(window)),
    ]
    return ["cells were changed meanwhile; try again", *found] if found and store.state() != state else found


def _recount(store: Store, after: int, up_to: int, weighing: Weighing) -> Counted:
    total = Counted({}, {})
    while rows := store.read_events(after, up_to, _CHUNK):
        total = merged(total, count(rows, weighing))
        after = rows[-1].sequence
    return total


def _totals(store: Store, up_to: int) -> dict[TotalKey, Totals]:
    total: dict[TotalKey, Totals] = {}
    after = 0
    while rows := store.read_events(after, up_to, _CHUNK):
        total = added(total, add_up(rows))
        after = rows[-1].sequence
    return total


def _unlike(what: str, stored: Mapping[K, V], counted: Mapping[K, V]) -> list[str]:
    return [
        f"{what} {key}: stored {stored.get(key)!r}, counted {counted.get(key)!r}"
        for key in dict.fromkeys([*stored, *counted])
        if stored.get(key) != counted.get(key)
    ]


def _instances(counted: Counted) -> dict[CellKey, int]:
    return dict(Counter(cell for cell, _ in counted.shares))


def _newest(counted: Counted) -> dict[CellKey, int]:
    newest: dict[CellKey, int] = {}
    for (cell, _), share in counted.shares.items():
        newest[cell] = max(newest.get(cell, 0), share.updated_ms)
    return newest
