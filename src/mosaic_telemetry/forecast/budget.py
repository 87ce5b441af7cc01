"""Chances between the quantiles of a forecast: will a task stay within a budget, and which budget is kept how often?

Between the five quantiles, and beyond the outermost, the logarithm of the amount is taken to be a straight line over the
deviations of a normal distribution, so that the answer agrees with the forecast at each of its quantiles. Beyond p10 and p90 it is an extrapolation.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from statistics import NormalDist

from mosaic_telemetry.forecast.pooling import SHARES

__all__ = ["amount_kept", "chance_within", "still_to_come"]

_NORMAL = NormalDist()
_DEVIATIONS = [_NORMAL.inv_cdf(share) for share in SHARES]
_FARTHEST = 0.999
_FLOOR = 0.5  # stands for an amount of 0, as in pooling


def chance_within(quantiles: Sequence[float], amount: float) -> float:
    """The chance (0.0 to 1.0) that a task takes at most `amount`.

    Args:
        quantiles: p10, p25, median, p75 and p90, rising; in tokens, micro-dollars or milliseconds.
        amount: in the same unit.

    Raises:
        ValueError: not five rising quantiles of 0 or more, or a negative amount.
    """
    logs = _logs(quantiles)
    if not amount >= 0:
        raise ValueError("a budget is no negative number")
    if not amount and logs[0] > math.log(_FLOOR):
        return 0.0
    where = math.log(max(amount, _FLOOR))
    for place in reversed(range(len(logs))):
        if where == logs[place]:  # the highest of equal quantiles: at most this much is also the chance of the others
            return SHARES[place]
    place = _segment(logs, where)
    low, high = logs[place], logs[place + 1]
    if low == high:  # a forecast of one value: all beyond it is certain
        return 1.0 if where > high else 0.0
    slope = (_DEVIATIONS[place + 1] - _DEVIATIONS[place]) / (high - low)
    return _NORMAL.cdf(_DEVIATIONS[place] + slope * (where - low))


def amount_kept(quantiles: Sequence[float], share: float) -> float:
    """The amount that a task stays within with this chance: the inverse of `chance_within`.

    Raises:
        ValueError: not five rising quantiles of 0 or more, or a share that is not above 0 and below 1.
    """
    logs = _logs(quantiles)
    if not 0 < share < 1:
        raise ValueError("a chance lies between 0 and 1")
    if share in SHARES:
        return quantiles[SHARES.index(share)]
    deviation = _NORMAL.inv_cdf(share)
    place = _segment(_DEVIATIONS, deviation)
    slope = (logs[place + 1] - logs[place]) / (_DEVIATIONS[place + 1] - _DEVIATIONS[place])
    return math.exp(logs[place] + slope * (deviation - _DEVIATIONS[place]))


def still_to_come(quantiles: Sequence[float], spent: float) -> list[float] | None:
    """How much more a task will take that has already come so far: quantiles at `SHARES` of what lies beyond `spent`, less it.

    None where less than one task in a thousand comes so far: that is farther than anything known.

    Raises:
        ValueError: not five rising quantiles of 0 or more, or a negative amount.
    """
    reached = chance_within(quantiles, spent)
    if reached > _FARTHEST:
        return None
    return [max(amount_kept(quantiles, reached + (1 - reached) * share) - spent, 0.0) for share in SHARES]


def _logs(quantiles: Sequence[float]) -> list[float]:
    if len(quantiles) != len(SHARES) or not all(value >= 0 for value in quantiles) or list(quantiles) != sorted(quantiles):
        raise ValueError("a forecast has five rising quantiles of 0 or more")
    return [math.log(max(value, _FLOOR)) for value in quantiles]


def _segment(points: Sequence[float], where: float) -> int:
    """The first of the two neighbouring points between which, or beyond which, `where` lies."""
    return min(max(bisect_left(points, where) - 1, 0), len(points) - 2)
