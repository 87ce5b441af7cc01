"""Which tasks are known, and which are judged by what is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mosaic_telemetry.forecast.backtest.table import Mask, Numbers, Table

__all__ = ["FOLDS", "Split", "by_group", "by_source", "by_time", "folds_of"]

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Split:
    """One round of a backtest, as masks over the rows of a table.

    Attributes:
        known: the tasks to learn from.
        judged: the tasks to forecast; none of them is known.
    """

    known: Mask
    judged: Mask


def by_group(table: Table, rng: np.random.Generator, folds: int = FOLDS) -> list[Split]:
    """Each group is judged once, by all tasks of other folds' groups.

    Raises:
        ValueError: there are fewer than two groups.
    """
    fold = folds_of(table.groups, folds, rng)
    return [Split(fold != number, fold == number) for number in range(int(fold.max()) + 1)]


def by_time(table: Table, folds: int = FOLDS) -> list[Split]:
    """The tasks in order of time, in equal parts: each part but the first is judged by all that came before it.

    Raises:
        ValueError: a task has no time, or there are fewer tasks than parts.
    """
    if np.isnan(table.times).any():
        raise ValueError("a backtest in time needs a timestamp in every row")
    if len(table.times) < folds:
        raise ValueError(f"a backtest in time needs at least {folds} rows")
    place = np.empty(len(table.times), dtype=np.int64)
    place[table.times.argsort(kind="stable")] = np.arange(len(place))
    part = place * folds // len(place)
    return [Split(part < number, part == number) for number in range(1, folds)]


def by_source(table: Table, known: int, judged: int) -> list[Split]:
    """One table is judged by another; a group that stands in both is not known.

    Raises:
        ValueError: nothing is left to learn from.
    """
    judge = table.sources == judged
    learn = (table.sources == known) & ~np.isin(table.groups, table.groups[judge])
    if not learn.any() or not judge.any():
        raise ValueError("nothing is left to learn from: every group to train on is also to be judged" if judge.any() else "nothing is to be judged")
    return [Split(learn, judge)]


def folds_of(groups: Numbers, folds: int, rng: np.random.Generator) -> Numbers:
    """A fold for each row, so that no group is in two of them and each has as many groups.

    Raises:
        ValueError: there are fewer than two groups.
    """
    names, rows = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError("folds need at least two groups of tasks")
    drawn: Numbers = rng.permutation(np.arange(len(names)) % min(folds, len(names)))
    return drawn[rows]
