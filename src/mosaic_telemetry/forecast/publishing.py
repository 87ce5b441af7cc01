"""What a public server says of a cell: nobody counts for much, few are not shown, and the ends of a distribution take a crowd.

With a share e of the tasks in the hands of cheats, the q-quantile of all lies between the honest (q - e) / (1 - e) and q / (1 - e)
quantiles (the breakdown point of a quantile; Huber, "Robust Statistics", 1981): a median takes 9 % of cheats easily, p10 and p90
break at 10 %. So an instance weighs min(1, w / n) in a cell, whatever it sends; a cell is shown from 5 instances on; and its own
p10 and p90 from 20 on, if none of them holds more than 5 % of it, and those whose tasks lie out there as a whole do not either.
Else they are the wider level's, moved to the cell's own median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mosaic_telemetry.forecast.cell import Cell
from mosaic_telemetry.forecast.pooling import TYPICAL, Floats, from_logs, to_logs
from mosaic_telemetry.forecast.prediction import TARGETS, Summary

__all__ = ["MOST", "SHOWN_FROM", "Published", "contribution", "own_ends", "publish"]

MOST = 20
"""Tasks for which one instance counts in a cell at most."""

SHOWN_FROM = 5
"""Instances from which on a cell is shown."""

_ENDS_FROM = 20
_LARGEST_SHARE = 0.05
_SLACK = 1.0101  # weights are known within 1 %: of twenty that weigh alike, none is refused for that
_REACH = 1.9  # p90 lies so many times as far from the median as p75 does, in a normal distribution
_LOW, _MEDIAN, _HIGH = 0, 2, 4


@dataclass(frozen=True, slots=True)
class Published:
    """A cell, as far as a public server shows it.

    Attributes:
        summary: what an answer needs of it, with the ends that are shown.
        cell: the cell itself.
        instances: how many have a share in it.
    """

    summary: Summary
    cell: Cell
    instances: int


def contribution(share: Cell) -> Cell:
    """What one instance's share adds to a cell of a public server."""
    return share.contribution(MOST)


def publish(ladder: Sequence[Published | None]) -> list[Summary | None]:
    """What may be said of the cells of a ladder, the most specific first: None for one that is not shown."""
    shown: list[Summary | None] = []
    wider: Summary | None = None
    for level in reversed(ladder):
        if level is None or level.instances < SHOWN_FROM:
            shown.append(None)
            continue
        wider = _with_ends(level, wider)
        shown.append(wider)
    return shown[::-1]


def own_ends(level: Published) -> list[bool]:
    """Of each of `TARGETS`, whether the cell may show its own p10 and p90."""
    crowd = level.instances >= _ENDS_FROM and level.cell.largest_share <= _LARGEST_SHARE * _SLACK
    return [crowd and _spread(level, amount) for amount in range(len(TARGETS))]


def _with_ends(level: Published, wider: Summary | None) -> Summary:
    """The cell's summary with those ends that it may not show itself taken from the wider level's shape."""
    summary = level.summary
    # Correction factors publish their medians alone.
    own = np.array([*own_ends(level), *[True] * (len(summary.sizes) - len(TARGETS))])
    if own.all():
        return summary
    logs = to_logs(summary.quantiles)
    middle = logs[:, _MEDIAN, None]
    shape = middle + TYPICAL if wider is None else _moved(wider, middle)
    low = np.minimum(shape[:, _LOW], logs[:, _LOW + 1])
    high = np.maximum(shape[:, _HIGH], logs[:, _HIGH - 1])
    quantiles = summary.quantiles.copy()
    free = summary.quantiles[:, _MEDIAN] == 0
    quantiles[:, _LOW] = np.where(own, quantiles[:, _LOW], np.where(free, 0.0, from_logs(low)))
    quantiles[:, _HIGH] = np.where(own, quantiles[:, _HIGH], np.where(free, quantiles[:, _HIGH - 1], from_logs(high)))
    return replace(summary, quantiles=quantiles)


def _spread(level: Published, amount: int) -> bool:
    """Whether the ends are made by the many, and not by a few whose tasks all lie there.

    Where the ends are is told by the quartiles, which it takes a quarter of all to move.
    """
    logs = to_logs(level.summary.quantiles[amount])
    middle = logs[_MEDIAN]
    low, high = middle - _REACH * (middle - logs[_LOW + 1]), middle + _REACH * (logs[_HIGH - 1] - middle)
    return level.cell.share_apart(amount, *from_logs(np.array([low, high]))) <= _LARGEST_SHARE


def _moved(wider: Summary, middle: Floats) -> Floats:
    logs = to_logs(wider.quantiles)
    moved: Floats = logs - logs[:, _MEDIAN, None] + middle
    return np.where((wider.sizes > 0)[:, None], moved, middle + TYPICAL)
