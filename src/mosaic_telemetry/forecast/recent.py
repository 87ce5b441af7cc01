"""Following a change: where what is recent differs from the whole by more than chance, it takes over.

Weights that halve in 30 days follow slowly: after a change it takes about so long until half of all weight is new. A price or the
behaviour of a model changes from one day to the next. So the last 7 to 14 days of exactly this kind are kept by themselves and
held against the whole, quantity by quantity: where the medians (in logarithms) lie more than four standard errors apart, the recent
values answer in place of all. Four, since tasks of one session are no independent evidence, and since thousands of cells are
asked: of one hundred thousand comparisons of like with like, six come out so by chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast.pooling import Floats, Sizes, to_logs
from mosaic_telemetry.forecast.prediction import Summary

__all__ = ["follow"]

_LEAST = 10
_DEVIATIONS = 4.0
_QUARTILES = 1.349  # standard deviations from p25 to p75 of a normal distribution
_MEDIAN_VARIANCE = math.pi / 2  # of a median of n normal values, in units of their variance over n
_AGED = 0.5  # events over 180 days, weighed by a half-life of 30, say as much as half as many of one weight
_RATIO_UNIT = 1e6
_RATIOS = 4  # the first histogram of ratios
_TINY = 1e-6


def follow(wholes: Sequence[Summary], recents: Sequence[Summary]) -> list[tuple[Summary, bool]]:
    """What an answer needs of cells, with what has changed in each taken from its recent tasks alone; many together cost much less than one by one.

    Args:
        wholes: of each cell.
        recents: of those of its tasks that are recent.

    Returns:
        Of each cell the summary, and whether anything was taken from the recent tasks.
    """
    if not wholes:
        return []
    amounts = _apart(_Told.of(wholes), _Told.of(recents))
    told = []
    for whole, recent, changed in zip(wholes, recents, amounts, strict=True):
        rates = {name: getattr(recent, name) for name in ("gate_pass_rate", "success_rate") if _rate_apart(whole, recent, name)}
        if rates or changed.any():
            sizes = np.where(changed, recent.sizes, whole.sizes)
            quantiles = np.where(changed[:, None], recent.quantiles, whole.quantiles)
            told.append((replace(whole, sizes=sizes, quantiles=quantiles, **rates), True))
        else:
            told.append((whole, False))
    return told


class _Told(NamedTuple):
    """Summaries as arrays: of each cell and quantity how many values there are, where (in logarithms) their median lies, and how far they vary."""

    sizes: Sizes
    medians: Floats
    variances: Floats

    @classmethod
    def of(cls, cells: Sequence[Summary]) -> _Told:
        amounts = np.array([cell.quantiles for cell in cells])
        amounts[:, _RATIOS:] *= _RATIO_UNIT
        logs = to_logs(amounts)
        # Values that are all alike are known to the width of a bin.
        variances = np.maximum((logs[..., 3] - logs[..., 1]) / _QUARTILES, 0.02) ** 2
        return cls(np.array([cell.sizes for cell in cells]), logs[..., 2], variances)


def _apart(whole: _Told, recent: _Told) -> NDArray[np.bool_]:
    """Of each cell and quantity, whether recent values lie elsewhere."""
    others = whole.sizes - recent.sizes
    enough = (recent.sizes >= _LEAST) & (others >= _LEAST)
    errors = recent.variances / np.maximum(recent.sizes, 1) + whole.variances / np.maximum(others * _AGED, 1)
    distance = np.abs(recent.medians - whole.medians)
    apart: NDArray[np.bool_] = enough & (distance > _DEVIATIONS * np.sqrt(_MEDIAN_VARIANCE * errors) + _TINY)
    return apart


def _rate_apart(whole: Summary, recent: Summary, name: str) -> bool:
    others = (whole.events - recent.events) * _AGED
    if recent.events < _LEAST or others < _LEAST * _AGED:
        return False
    before, now = getattr(whole, name), getattr(recent, name)
    middle = (before * others + now * recent.events + 1) / (others + recent.events + 2)  # never 0 nor 1
    return bool(abs(now - before) > _DEVIATIONS * math.sqrt(middle * (1 - middle) * (1 / recent.events + 1 / others)))
