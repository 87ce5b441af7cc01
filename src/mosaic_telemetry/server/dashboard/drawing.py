"""Intervals as pictures: SVG that a template writes into a page. It needs no script, and takes its colours from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Axis", "Fan", "axis_of", "fan"]

WIDTH = 320
"""Units of the drawings' width."""

_MARGIN = 24
_STEPS = (1, 2, 5)
_TIMES = (100, 1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 3 * 3_600_000, 12 * 3_600_000)  # milliseconds
_MOST = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis.

    Attributes:
        low: the amount at its left end, above 0.
        high: the amount at its right end, above `low`.
        times: whether amounts are milliseconds, which people count in minutes and hours.
    """

    low: float
    high: float
    times: bool = False

    def place(self, amount: float) -> float:
        """Where an amount stands, from the margin on the left to that on the right; ends stand for what lies beyond them."""
        inside = min(max(amount, self.low), self.high)
        return round(_MARGIN + (WIDTH - 2 * _MARGIN) * math.log(inside / self.low) / math.log(self.high / self.low), 1)

    def ticks(self) -> list[float]:
        """Round amounts along it, few enough to be written beside each other."""
        powers = [10.0**power for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)]
        found: list[float] = []
        for round_ones in (_TIMES,) if self.times else ([step * power for power in powers for step in _STEPS], powers):
            found = [tick for tick in round_ones if self.low <= tick <= self.high]
            if len(found) <= _MOST:
                break
        return found[:: math.ceil(len(found) / _MOST) or 1]


@dataclass(frozen=True, slots=True)
class Fan:
    """Quantiles on an axis: a line from p10 to p90, a box from p25 to p75, a mark at the median; each at its place."""

    p10: float
    p25: float
    median: float
    p75: float
    p90: float


def axis_of(amounts: Sequence[float], *, times: bool = False) -> Axis | None:
    """An axis that holds amounts, those above 0, with some room; None where there is none."""
    above = [amount for amount in amounts if amount > 0]
    return Axis(min(above) / 1.25, max(above) * 1.25, times) if above else None


def fan(quantiles: Mapping[str, float], axis: Axis) -> Fan | None:
    """Quantiles at their places; None where one of them is missing."""
    names = ("p10", "p25", "median", "p75", "p90")
    return Fan(*(axis.place(quantiles[name]) for name in names)) if all(name in quantiles for name in names) else None
