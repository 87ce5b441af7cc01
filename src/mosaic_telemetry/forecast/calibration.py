"""Calibration: intervals stretched or narrowed by how earlier ones did.

Split conformal prediction (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005; for quantiles: Romano,
Patterson, Candès, "Conformalized quantile regression", NeurIPS 2019), with the score taken relative to the forecast's own width,
since widths differ by factors: how many times the way from the median to the p10 (or to the p90) the truth lay away from the median. The
factor at which just one in ten lay farther is the factor by which that side is to be stretched. How far one in four lay says likewise
where the quartile is; it is put half-way between there and where the forecast's own shape has it, since the record knows all kinds of tasks, and the
shape this one.

The scores are kept in histograms, one a side and class of sample size: adding a settled forecast takes no look at earlier ones.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast.histogram import LARGEST, SMALLEST, Histogram
from mosaic_telemetry.forecast.pooling import Floats, Sizes, fading

__all__ = ["CLASSES", "Calibration", "class_of"]

CLASSES = ("0", "1-4", "5-9", "10-29", "30-99", "100+")
"""Classes of sample size: how many values the most specific level had."""

_EDGES = np.array([1, 5, 10, 30, 100])
_TAIL, _QUARTER = 0.1, 0.25
_PATIENCE = 200  # forecasts that weigh as much as the belief that no correction is needed
_LEAST, _MOST = 0.5, 4.0
_MEDIAN = 2
_SIDES = ((0, 1, -1.0), (4, 3, 1.0))  # the end, the quartile, and where they lie
_QUARTILE_TRUST = 0.5
_VERSION = 1
_LENGTH = struct.Struct("<QII")


def class_of(sizes: Sizes | Sequence[int]) -> NDArray[np.int64]:
    """The place in `CLASSES` of each sample size."""
    return np.searchsorted(_EDGES, sizes, side="right")


class Calibration:
    """What is known of how the forecasts of one target did. Mutable; equal ones have equal serial forms."""

    __slots__ = ("_beyond", "_factors", "_quartiles", "_settled")

    def __init__(self) -> None:
        self._settled = [0] * len(CLASSES)
        self._beyond = [(Histogram(), Histogram()) for _ in CLASSES]
        self._factors: Floats | None = None  # until something is added
        self._quartiles: Floats | None = None

    @property
    def settled(self) -> int:
        """Forecasts recorded."""
        return sum(self._settled)

    def settled_of(self, size: str) -> int:
        """Forecasts recorded of one of `CLASSES`."""
        return self._settled[CLASSES.index(size)]

    def record(self, sizes: Sizes, forecasts: Floats, actuals: Floats) -> None:
        """Add settled forecasts.

        Args:
            sizes: the sample size of each (values in the most specific level that had any).
            forecasts: logarithms of the uncorrected quantiles, `[forecast, share]`.
            actuals: logarithms of what came.
        """
        self._factors = self._quartiles = None
        classes = class_of(sizes)
        middle = forecasts[:, _MEDIAN]
        for number in np.unique(classes).tolist():
            there = classes == number
            self._settled[number] += int(there.sum())
            for histogram, (end, _, sign) in zip(self._beyond[number], _SIDES, strict=True):
                width = np.abs(forecasts[there, end] - middle[there])
                way = (actuals[there] - middle[there]) * sign
                outside = way > 0
                histogram.add_many(np.clip(way[outside] / np.maximum(width[outside], SMALLEST), 0, LARGEST))

    def merge(self, other: Calibration) -> None:
        """Add all that `other` has recorded."""
        self._factors = self._quartiles = None
        for number, pair in enumerate(other._beyond):
            self._settled[number] += other._settled[number]
            for mine, theirs in zip(self._beyond[number], pair, strict=True):
                mine.merge(theirs)

    def factors(self) -> Floats:
        """By what each side's way from the median is to be multiplied: one row a class, lower and upper side."""
        if self._factors is None:
            self._factors = np.array([[self._factor(settled, side) for side in pair] for settled, pair in zip(self._settled, self._beyond, strict=True)])
        return self._factors

    def quartiles(self) -> Floats:
        """How far from the median each side's quartile lay, by the record, as a share of the way to the forecast's end: rows and columns as in `factors`."""
        if self._quartiles is None:
            self._quartiles = np.array(
                [[_exceeded(_QUARTER, settled, side) for side in pair] for settled, pair in zip(self._settled, self._beyond, strict=True)]
            )
        return self._quartiles

    def correct(self, sizes: Sizes, forecasts: Floats) -> Floats:
        """The forecasts with both sides as the record says; from 100 values on they stay as they are."""
        classes, left = class_of(sizes), fading(sizes)
        settled = np.array(self._settled, dtype=np.float64)
        trust = _QUARTILE_TRUST * (settled / (settled + _PATIENCE))[classes] * left
        middle = forecasts[:, _MEDIAN]
        corrected = forecasts.copy()
        for column, (end, quartile, _) in enumerate(_SIDES):
            factor = 1 + (self.factors()[classes, column] - 1) * left
            way = forecasts[:, end] - middle
            recorded = way * np.minimum(self.quartiles()[classes, column], factor)
            corrected[:, end] = middle + way * factor
            corrected[:, quartile] = middle + (1 - trust) * (forecasts[:, quartile] - middle) * factor + trust * recorded
        return corrected

    def to_bytes(self) -> bytes:
        """Compact serial form, with a version byte."""
        parts = [bytes([_VERSION])]
        for settled, pair in zip(self._settled, self._beyond, strict=True):
            forms = [side.to_bytes() for side in pair]
            parts += [_LENGTH.pack(settled, *map(len, forms)), *forms]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            ValueError: `data` is no serial form of a calibration, or one of another version.
        """
        if not data or data[0] != _VERSION:
            raise ValueError("not a serial form of a calibration that this program reads")
        calibration, start = cls(), 1
        for number in range(len(CLASSES)):
            if len(data) < start + _LENGTH.size:
                raise ValueError("not a serial form of a calibration: too short")
            settled, *lengths = _LENGTH.unpack_from(data, start)
            start += _LENGTH.size
            sides = []
            for length in lengths:
                sides.append(Histogram.from_bytes(data[start : start + length]))
                start += length
            if sum(side.total for side in sides) > settled:
                raise ValueError("not a serial form of a calibration: more scores than forecasts")
            calibration._settled[number], calibration._beyond[number] = settled, (sides[0], sides[1])
        if start != len(data):
            raise ValueError("not a serial form of a calibration: its lengths do not fit")
        return calibration

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Calibration):
            return NotImplemented
        return self._settled == other._settled and self._beyond == other._beyond

    __hash__ = None  # type: ignore[assignment]  # mutable

    @staticmethod
    def _factor(settled: int, side: Histogram) -> float:
        if not side.total:
            return 1.0
        measured = min(max(_exceeded(_TAIL, settled, side), _LEAST), _MOST)
        return float(measured ** (settled / (settled + _PATIENCE)))


def _exceeded(tail: float, settled: int, side: Histogram) -> float:
    """How far away from the median that share of all settled forecasts was exceeded; 0 where nothing came on this side."""
    if not side.total:
        return 0.0
    # The quantile among all forecasts, of which those on the other side lie nearest; + 1 is the conformal correction of a finite record.
    share = 1 - tail * (settled + 1) / side.total
    return side.quantile(max(share, 0.0))
