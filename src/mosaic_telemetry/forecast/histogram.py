"""Log-spaced histogram: quantiles within 1 %, exact to merge and to subtract.

The bins are DDSketch's (Masson, Rim, Lee, "DDSketch", VLDB 2019): with relative accuracy a = 0.01 and
gamma = (1 + a) / (1 - a), a bin holds the values in (gamma^(k-1), gamma^k] and stands for 2·gamma^k / (gamma + 1), which is
within a of every one of them. Zero has a bin of its own. Unlike the sketch, no bin is ever collapsed, so a histogram is a
linear thing: adding, merging and subtracting are integer arithmetic on counts, in any order.

The bounds are made by repeated multiplication rather than by logarithms: multiplication gives the same bits on every
machine, so a value that was added on one can be taken out on another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast.counts import Counts, Keys

__all__ = ["ACCURACY", "BINS", "LARGEST", "SMALLEST", "Histogram", "bins_of", "values_of"]

ACCURACY = 0.01
SMALLEST = 1e-9
LARGEST = 1e15

_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_STEPS_DOWN = 1037  # gamma**-1037 is below SMALLEST
_STEPS_UP = 1728  # gamma**1728 is above LARGEST
_DOWN = np.cumprod(np.full(_STEPS_DOWN, 1 / _GAMMA))[::-1]
_BOUNDS: NDArray[np.float64] = np.concatenate([_DOWN, [1.0], np.cumprod(np.full(_STEPS_UP, _GAMMA))])
_VALUES: NDArray[np.float64] = np.concatenate([[0.0], _BOUNDS * (2 / (1 + _GAMMA))])

BINS = len(_VALUES)
"""Number of bins; bin 0 is that of zero."""


def bins_of(values: NDArray[Any]) -> Keys:
    """The bin of each value.

    Raises:
        ValueError: a value is negative, above 1e15 or NaN.
    """
    if len(values) and not (values.min() >= 0 and values.max() <= LARGEST):  # also false for NaN
        raise ValueError(f"a histogram takes numbers from 0 to {LARGEST:g}")
    return np.where(values < SMALLEST, 0, _BOUNDS.searchsorted(values) + 1)


def values_of(bins: Keys) -> NDArray[np.float64]:
    """The value that each bin stands for, within 1 % of all that it holds."""
    return _VALUES[bins]


class Histogram:
    """Counts of non-negative values. Values below 1e-9 count as 0; those above 1e15, negative ones and NaN are refused.

    Mutable. Equal histograms have equal serial forms.

    Attributes:
        counts: how many values are in each bin.
    """

    __slots__ = ("counts",)

    def __init__(self, values: Iterable[float] = ()) -> None:
        self.counts = Counts.of(bins_of(np.fromiter(values, dtype=np.float64)))

    @classmethod
    def from_counts(cls, counts: Counts) -> Self:
        """The histogram whose bins are counted so; `counts` becomes its own."""
        histogram = cls.__new__(cls)
        histogram.counts = counts
        return histogram

    @property
    def total(self) -> int:
        """Number of values held."""
        return self.counts.total

    @property
    def is_empty(self) -> bool:
        """Whether it holds no value."""
        return not len(self.counts.keys)

    def add(self, value: float, count: int = 1) -> None:
        """Add `value` `count` times.

        Raises:
            ValueError: a value that no bin takes, or a negative count.
        """
        if count < 0:
            raise ValueError(f"cannot add a value {count} times")
        bins = bins_of(np.array([value], dtype=np.float64))
        if count:
            self.counts.merge(Counts(bins, np.array([count], dtype=np.int64)))

    def add_many(self, values: NDArray[Any]) -> None:
        """Add every value of a one-dimensional array.

        Raises:
            ValueError: a value that no bin takes; nothing is added then.
        """
        self.counts.merge(Counts.of(bins_of(values)))

    def merge(self, other: Histogram) -> None:
        """Add all that `other` holds."""
        self.counts.merge(other.counts)

    def subtract(self, other: Histogram) -> None:
        """Take out all that `other` holds: the exact inverse of `merge`.

        Raises:
            ValueError: `other` holds something that was never added; nothing is taken out then.
        """
        self.counts.subtract(other.counts)

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """The values below which these shares (each 0.0 to 1.0) of all values lie.

        The definition is NumPy's default ("linear"): rank share·(n - 1), interpolated between the two values beside it.

        Raises:
            ValueError: the histogram is empty, or a share lies outside 0 to 1.
        """
        if self.is_empty:
            raise ValueError("an empty histogram has no quantiles")
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("a share lies between 0 and 1")
        below = self.counts.counts.cumsum()
        last = int(below[-1]) - 1
        ranks = [share * last for share in shares]
        floors = [int(rank) for rank in ranks]
        places = below.searchsorted(floors + [min(floor + 1, last) for floor in floors], side="right")
        values = _VALUES[self.counts.keys[places]].tolist()
        lows, highs = values[: len(ranks)], values[len(ranks) :]
        return [min(low + (high - low) * (rank - floor), high) for rank, floor, low, high in zip(ranks, floors, lows, highs, strict=True)]

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the values (that of the population, divisor n).

        Raises:
            ValueError: the histogram is empty.
        """
        if self.is_empty:
            raise ValueError("an empty histogram has no mean")
        values, weights = _VALUES[self.counts.keys], self.counts.counts / self.total
        mean = float(values @ weights)
        return mean, float(np.sqrt(((values - mean) ** 2) @ weights))

    def quantile(self, share: float) -> float:
        """One of `quantiles`."""
        return self.quantiles((share,))[0]

    def share_up_to(self, value: float) -> float:
        """The share (0.0 to 1.0) of all values that are at most `value`; those within 1 % of it may count as either.

        Raises:
            ValueError: the histogram is empty, or no bin takes `value`.
        """
        if self.is_empty:
            raise ValueError("an empty histogram has no shares")
        last = self.counts.keys.searchsorted(bins_of(np.array([value], dtype=np.float64)), side="right")[0]
        return float(self.counts.counts[:last].sum() / self.total)

    def above(self, value: float) -> Histogram:
        """The values above `value`, as a histogram: what is known of a task that has already come so far.

        Values in the same bin as `value`, so within 1 % of it or closer, count as reached and are left out.

        Raises:
            ValueError: no bin takes `value`.
        """
        first = self.counts.keys.searchsorted(bins_of(np.array([value], dtype=np.float64)), side="right")[0]
        return type(self).from_counts(Counts(self.counts.keys[first:], self.counts.counts[first:]))

    def remainder(self, spent: float, shares: Sequence[float]) -> list[float]:
        """How much is still to come where `spent` is already spent: quantiles of the values above it, less it.

        The error is at most 1 % of the whole (spent and to come), so a small remainder is known less well.

        Raises:
            ValueError: no value lies above `spent`, no bin takes it, or a share lies outside 0 to 1.
        """
        beyond = self.above(spent)
        if beyond.is_empty:
            raise ValueError(f"no value lies above {spent:g}: nothing is known of what is still to come")
        return [max(whole - spent, 0.0) for whole in beyond.quantiles(shares)]

    def to_bytes(self) -> bytes:
        """Compact serial form, with a version byte."""
        return self.counts.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The histogram that `to_bytes` wrote.

        Raises:
            ValueError: `data` is no serial form of a histogram, or one of a newer version.
        """
        counts = Counts.from_bytes(data)
        if len(counts.keys) and counts.keys[-1] >= BINS:
            raise ValueError(f"not a histogram: it names bin {counts.keys[-1]}, and the last is {BINS - 1}")
        return cls.from_counts(counts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"<Histogram of {self.total} values>"
