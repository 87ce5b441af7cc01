"""Counting events into cells, without a store: the pure part of the roll-up."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast import ABSENT, Cell, CellKey, Counts, Keys, Tasks, keys_of

__all__ = ["DAY_MS", "Counted", "CountedTask", "count"]

DAY_MS = 86_400_000

K = TypeVar("K", bound=Hashable)


class CountedTask(NamedTuple):
    """What of an event goes into cells.

    Attributes:
        received_ms: when the server received it, in milliseconds since 1970.
        timestamp_ms: when the task ended, in milliseconds since 1970.
        task_type: dimension.
        model: dimension, as it was sent.
        provider: dimension.
        complexity: dimension.
        numbers: one number for each column of `forecast.Tasks`, in its order.
    """

    received_ms: int
    timestamp_ms: int
    task_type: str
    model: str
    provider: str
    complexity: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What is to be merged.

    Attributes:
        window: into cells of every level over the window.
        daily: into cells of level 0, by day since 1970.
        updated_ms: when the newest of the events was received, in milliseconds since 1970, by cell.
    """

    window: dict[CellKey, Cell]
    daily: dict[tuple[CellKey, int], Cell]
    updated_ms: dict[CellKey, int]


def count(tasks: Sequence[CountedTask]) -> Counted:
    """Count each task once into each cell that it belongs to."""
    known: dict[tuple[str, ...], tuple[CellKey, ...]] = {}
    levels = []
    for task in tasks:
        dimensions = task[2:6]
        keys = known.get(dimensions)
        if keys is None:
            keys = known[dimensions] = keys_of(*dimensions)
        levels.append(keys)
    what = _columns(np.array([task.numbers for task in tasks], dtype=np.int64)).keys()
    window: dict[CellKey, Cell] = {}
    for level in range(len(levels[0])):
        window |= _cells([keys[level] for keys in levels], what)
    daily = _cells([(keys[0], task.timestamp_ms // DAY_MS) for keys, task in zip(levels, tasks, strict=True)], what)
    updated_ms: dict[CellKey, int] = {}
    for keys, task in zip(levels, tasks, strict=True):
        for key in keys:
            if task.received_ms > updated_ms.get(key, -1):
                updated_ms[key] = task.received_ms
    return Counted(window, daily, updated_ms)


def _cells(owners: list[K], what: Keys) -> dict[K, Cell]:
    """The cell of each owner, from the owner of each row of `what`: all of them in one sort."""
    places: dict[K, int] = {}
    numbers = np.array([places.setdefault(owner, len(places)) for owner in owners], dtype=np.int64)
    tagged = (numbers[:, None] << 16) | what
    tags, counts = np.unique(tagged[what != ABSENT], return_counts=True)
    bounds = tags.searchsorted(np.arange(len(places) + 1) << 16).tolist()
    keys = tags & 0xFFFF
    return {owner: Cell(Counts(keys[start:end], counts[start:end])) for owner, start, end in zip(places, bounds, bounds[1:], strict=False)}


def _columns(rows: NDArray[np.int64]) -> Tasks:
    amounts, flags = rows[:, :6].T, rows[:, 6:].T.astype(np.bool_)
    return Tasks(*amounts, *flags)
