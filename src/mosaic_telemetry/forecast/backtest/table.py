"""Tasks as columns: what a backtest replays."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast.histogram import bins_of, values_of
from mosaic_telemetry.forecast.ladder import LADDER, keys_of
from mosaic_telemetry.forecast.pooling import Floats
from mosaic_telemetry.forecast.prediction import TARGETS

__all__ = ["Table", "Task"]

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Task:
    """A finished task.

    Attributes:
        task_type: kind of work.
        model: model, as written.
        provider: who served it.
        complexity: size of the task.
        amounts: what it took, by the names in `TARGETS`; those that are missing are not known.
        group: what it shares with tasks that are no independent evidence, such as the same exercise or session; None for itself alone.
        time: when it ended, in seconds since 1970; None where that is not known.
        source: which of several tables it came from.
    """

    task_type: str
    model: str
    provider: str
    complexity: str
    amounts: Mapping[str, float] = field(default_factory=dict)
    group: str | None = None
    time: float | None = None
    source: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Tasks by column; every array has one row a task.

    Attributes:
        cells: the number of the cell on each level of the ladder, `[task, level]`.
        groups: the number of the group; by the order of their names.
        times: seconds since 1970, NaN where not known.
        sources: as in `Task`.
        amounts: by target: what the task took, NaN where not known.
    """

    cells: Numbers
    groups: Numbers
    times: Floats
    sources: Numbers
    amounts: Mapping[str, Floats]

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> Table:
        """The columns of these tasks.

        Raises:
            ValueError: an amount is negative or above 1e15.
        """
        keys = [keys_of(task.task_type, task.model, task.provider, task.complexity) for task in tasks]
        cells = np.empty((len(tasks), len(LADDER)), dtype=np.int64)
        for level in range(len(LADDER)):
            cells[:, level] = _numbers([row[level] for row in keys])
        named = sorted({task.group for task in tasks if task.group is not None})
        order = {name: number for number, name in enumerate(named)}
        groups = [len(named) + row if task.group is None else order[task.group] for row, task in enumerate(tasks)]
        return cls(
            cells=cells,
            groups=_numbers_of(groups),
            times=np.array([np.nan if task.time is None else task.time for task in tasks]),
            sources=_numbers_of([task.source for task in tasks]),
            amounts={target: _column(tasks, target) for target in TARGETS},
        )

    def binned(self, target: str) -> Floats:
        """The amounts as the histograms of cells hold them, to within 1 %; NaN where not known."""
        values = self.amounts[target].copy()
        known = ~np.isnan(values)
        values[known] = values_of(bins_of(values[known]))
        return values


def _numbers(keys: Sequence[Hashable]) -> Numbers:
    """Each key's place among the distinct ones, in order of appearance."""
    places = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return _numbers_of([places[key] for key in keys])


def _numbers_of(values: Sequence[int]) -> Numbers:
    return np.array(values, dtype=np.int64)


def _column(tasks: Sequence[Task], target: str) -> Floats:
    values = np.array([task.amounts.get(target, np.nan) for task in tasks], dtype=np.float64)
    bins_of(values[~np.isnan(values)])  # raises where a cell would not take the amount
    return values
