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

__all__ = ["ACCURACY", "BINS", "LARGEST", "SMALLEST", "Histogram", "bins_of", "quantiles_within", "values_of"]

ACCURACY = 0.01
SMALLEST = 1e-9
LARGEST = 1e15

_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_STEPS_DOWN = 1037  # gamma**-1037 is below SMALLEST
_STEPS_UP = 1728  # gamma**1728 is above LARGEST
_DOWN = np.cumprod(np.full(_STEPS_DOWN, 1 / _GAMMA))[::-1]
_BOUNDS: NDArray[np.float64] = np.concatenate([_DOWN, [1.0], np.cumprod(np.full(_STEPS_UP, _GAMMA))])
_TINY = 1e-9
_ZERO: Keys = np.zeros(1, dtype=np.int64)
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


def quantiles_within(bins: Keys, counts: Keys, bounds: Keys, sizes: Keys, shares: Sequence[float]) -> NDArray[np.float64]:
    """Quantiles of many histograms at once, which stand side by side: `[histogram, share]`, zeros where one is empty.

    With n values of mean weight w, a value whose weights come after those of sum c lies at c + w / 2, and the quantile of a
    share p at w / 2 + p·(n - 1)·w; between values it is interpolated. Where all weigh alike, that is NumPy's default ("linear", type 7).
    A bin that weighs less than w, of one value far older than most, lies at its middle.

    Args:
        bins: the bins of all histograms, one histogram after the other, rising within each.
        counts: what each of them holds.
        bounds: where in `bins` each histogram begins, and at last their end.
        sizes: how many values each histogram holds; 0 where it is empty.
        shares: each 0.0 to 1.0.
    """
    if not len(bins):
        return np.zeros((len(sizes), len(shares)))
    tops = np.concatenate((_ZERO, counts.cumsum()))
    starts = tops[bounds[:-1], None]
    wholes = tops[bounds[1:], None] - starts
    mean = wholes / np.maximum(sizes, 1)[:, None]
    wanted = mean / 2 + np.asarray(shares) * (wholes - mean)
    # Whole numbers are compared with whole numbers: all sums together may be too large for a float.
    last = np.maximum(bounds[1:, None] - 1, 0)
    places = np.minimum(tops[1:].searchsorted(starts + np.minimum(wanted.astype(np.int64), wholes - 1), side="right"), last)
    low, high = tops[places] - starts, tops[places + 1] - starts
    half = np.minimum(mean, high - low) / 2
    back = wanted < low + half
    others = np.clip(np.where(back, places - 1, places + 1), bounds[:-1, None], last)
    other_half = np.minimum(mean, counts[others]) / 2
    # How far from this bin's flat part on the way to the neighbour's, 0 within it.
    away = np.where(back, low + half - wanted, np.maximum(wanted - (high - half), 0.0)) / np.maximum(half + other_half, _TINY)
    here, there = _VALUES[bins[places]], _VALUES[bins[others]]
    return np.where(wholes > 0, here + (there - here) * np.minimum(away, 1.0), 0.0)


class Histogram:
    """Counts of non-negative values. Values below 1e-9 count as 0; those above 1e15, negative ones and NaN are refused.

    Mutable. Equal histograms have equal serial forms.

    Attributes:
        counts: how many values are in each bin, or what they weigh together.
    """

    __slots__ = ("_values", "counts")

    def __init__(self, values: Iterable[float] = (), *, of: tuple[Counts, int | None] | None = None) -> None:
        if of is not None:
            self.counts, self._values = of
            return
        # Many begin empty, which is cheaper to say than to count.
        self.counts = Counts() if isinstance(values, tuple) and not values else Counts.of(bins_of(np.fromiter(values, dtype=np.float64)))
        self._values = None

    @classmethod
    def from_counts(cls, counts: Counts, values: int | None = None) -> Self:
        """The histogram whose bins are counted so; `counts` becomes its own.

        Args:
            counts: how many values are in each bin; with `values`, what they weigh.
            values: how many values there are. Such a histogram is for reading only.
        """
        return cls(of=(counts, values))

    @property
    def total(self) -> int:
        """Number of values held."""
        return self.counts.total if self._values is None else self._values

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

        The definition is that of `quantiles_within`: where all weigh alike, NumPy's default ("linear").

        Raises:
            ValueError: the histogram is empty, or a share lies outside 0 to 1.
        """
        if self.is_empty:
            raise ValueError("an empty histogram has no quantiles")
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("a share lies between 0 and 1")
        keys, counts = self.counts.keys, self.counts.counts
        found: list[float] = quantiles_within(keys, counts, np.array([0, len(keys)]), np.array([self.total]), shares)[0].tolist()
        return found

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the values (that of the population, divisor n).

        Raises:
            ValueError: the histogram is empty.
        """
        if self.is_empty:
            raise ValueError("an empty histogram has no mean")
        values, weights = _VALUES[self.counts.keys], self.counts.counts / self.counts.total
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
        return float(self.counts.counts[:last].sum() / self.counts.total)

    def above(self, value: float) -> Histogram:
        """The values above `value`, as a histogram: what is known of a task that has already come so far.

        Values in the same bin as `value`, so within 1 % of it or closer, count as reached and are left out.

        Raises:
            ValueError: no bin takes `value`.
        """
        first = self.counts.keys.searchsorted(bins_of(np.array([value], dtype=np.float64)), side="right")[0]
        beyond = Counts(self.counts.keys[first:], self.counts.counts[first:])
        # What weighed values weigh is known, how many they are is not: as many as it would be if all weighed alike.
        values = None if self._values is None else max(round(self._values * beyond.total / max(self.counts.total, 1)), min(beyond.total, 1))
        return type(self).from_counts(beyond, values)

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
