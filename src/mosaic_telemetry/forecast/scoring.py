"""Scores of forecasts: how often the truth lay within, how far off the median was, how wide the interval, and all in one loss.

The pinball (quantile) loss is a proper score (Koenker and Bassett, "Regression quantiles", Econometrica 1978; Gneiting and Raftery, "Strictly
proper scoring rules, prediction, and estimation", JASA 2007): nobody can do better in it than by saying the true quantiles.
Everything is measured in logarithms, so that a factor of 2 counts alike at one cent and at ten dollars.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Self

import numpy as np

from mosaic_telemetry.forecast.histogram import LARGEST, Histogram
from mosaic_telemetry.forecast.pooling import SHARES, Floats

__all__ = ["Score", "pinball"]

_SHARES = np.array(SHARES)
_LOW, _MEDIAN, _HIGH = 0, 2, 4
# Errors are kept to this power, so that the histogram's 1 % is 0.2 % of a factor, and so much smaller that those up to a factor of 50,000 fit.
_FINER = 5
_SMALLER = 20.0
_LOG_LARGEST = math.log(LARGEST) - 1e-9
_EQUAL = 1e-9  # logarithms that lie closer than this are the same
_HEADER = struct.Struct("<QQQQI")
_UNITS = 1_000_000  # losses are summed as whole millionths: so the order of adding and merging does not matter


def pinball(forecasts: Floats, actuals: Floats) -> Floats:
    """Each forecast's mean loss over the five quantiles; both arguments in logarithms, `[forecast, share]` and `[forecast]`."""
    missed = actuals[:, None] - forecasts
    losses: Floats = np.maximum(_SHARES * missed, (_SHARES - 1) * missed).mean(axis=1)
    return losses


class Score:
    """A running score. Mutable; adding is exact whatever the order.

    Attributes:
        forecasts: how many were scored.
        below: how many truths lay below p10.
        above: how many lay above p90.
    """

    __slots__ = ("_errors", "_loss", "_widths", "above", "below", "forecasts")

    def __init__(self) -> None:
        self.forecasts = self.below = self.above = 0
        self._loss = 0
        self._errors, self._widths = Histogram(), Histogram()

    def add(self, forecasts: Floats, actuals: Floats) -> None:
        """Score forecasts, in logarithms: `[forecast, share]`, and `[forecast]` for what came."""
        self.forecasts += len(actuals)
        self.below += int((actuals < forecasts[:, _LOW] - _EQUAL).sum())
        self.above += int((actuals > forecasts[:, _HIGH] + _EQUAL).sum())
        self._loss += int(np.rint(pinball(forecasts, actuals) * _UNITS).sum())
        self._errors.add_many(np.exp(np.minimum(np.abs(actuals - forecasts[:, _MEDIAN]) * _FINER - _SMALLER, _LOG_LARGEST)))
        self._widths.add_many(np.abs(forecasts[:, _HIGH] - forecasts[:, _LOW]))

    def merge(self, other: Score) -> None:
        """Add all that `other` has scored."""
        self.forecasts += other.forecasts
        self.below += other.below
        self.above += other.above
        self._loss += other._loss
        self._errors.merge(other._errors)
        self._widths.merge(other._widths)

    def to_bytes(self) -> bytes:
        """Compact serial form."""
        errors, widths = self._errors.to_bytes(), self._widths.to_bytes()
        return _HEADER.pack(self.forecasts, self.below, self.above, self._loss, len(errors)) + errors + widths

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            ValueError: `data` is no serial form of a score.
        """
        if len(data) < _HEADER.size:
            raise ValueError("not a serial form of a score: too short")
        score = cls()
        score.forecasts, score.below, score.above, score._loss, length = _HEADER.unpack_from(data)
        end = _HEADER.size + length
        score._errors, score._widths = Histogram.from_bytes(data[_HEADER.size : end]), Histogram.from_bytes(data[end:])
        return score

    @property
    def coverage(self) -> float | None:
        """Share of truths from p10 to p90, ends included: 0.8 is promised. None before the first forecast."""
        return 1 - (self.below + self.above) / self.forecasts if self.forecasts else None

    @property
    def pinball(self) -> float | None:
        """Mean pinball loss in logarithms; less is better. None before the first forecast."""
        return self._loss / _UNITS / self.forecasts if self.forecasts else None

    @property
    def factor_error(self) -> float | None:
        """Typical (median) factor between the median and the truth, 1.0 or more, to 0.2 %. None before the first forecast."""
        if not self.forecasts:
            return None
        # The lower of two middle values: to interpolate between powers would favour the larger.
        last = self.forecasts - 1
        kept = self._errors.quantile(last // 2 / max(last, 1))
        return math.exp((math.log(kept) + _SMALLER) / _FINER)

    @property
    def sharpness(self) -> float | None:
        """Typical (median) factor from p10 to p90; less is sharper. None before the first forecast."""
        return math.exp(self._widths.quantile(0.5)) if self.forecasts else None

    def to_dict(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return {
            "forecasts": self.forecasts,
            "coverage": _rounded(self.coverage),
            "below": self.below,
            "above": self.above,
            "pinball": _rounded(self.pinball),
            "factor_error": _rounded(self.factor_error),
            "sharpness": _rounded(self.sharpness),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
