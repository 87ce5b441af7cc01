"""Following a change: where what is recent differs from the whole by more than chance, it takes over.

Weights that halve in 30 days follow slowly: after a change it takes about so long until half of all weight is new. A price or the
behaviour of a model changes from one day to the next. So the last 7 to 14 days of exactly this kind are kept by themselves and
held against the whole, quantity by quantity: where the medians (in logarithms) lie more than four standard errors apart, the recent
values answer in place of all. Four, since tasks of one session are no independent evidence, and since thousands of cells are
asked: of one hundred thousand comparisons of like with like, six come out so by chance.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast.pooling import Floats, to_logs
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


def follow(whole: Summary, recent: Summary) -> tuple[Summary, bool]:
    """What an answer needs of a cell, with what has changed taken from its recent tasks alone.

    Args:
        whole: of the cell.
        recent: of those of its tasks that are recent.

    Returns:
        The summary, and whether anything was taken from the recent tasks.
    """
    changed = _apart(whole, recent)
    rates = {name: getattr(recent, name) for name in ("gate_pass_rate", "success_rate") if _rate_apart(whole, recent, name)}
    if not changed.any() and not rates:
        return whole, False
    sizes = np.where(changed, recent.sizes, whole.sizes)
    quantiles = np.where(changed[:, None], recent.quantiles, whole.quantiles)
    return replace(whole, sizes=sizes, quantiles=quantiles, **rates), True


def _apart(whole: Summary, recent: Summary) -> NDArray[np.bool_]:
    """Of each quantity, whether recent values lie elsewhere."""
    others = whole.sizes - recent.sizes
    enough = (recent.sizes >= _LEAST) & (others >= _LEAST)
    errors = _variance(recent) / np.maximum(recent.sizes, 1) + _variance(whole) / np.maximum(others * _AGED, 1)
    distance = np.abs(_logs(recent)[:, 2] - _logs(whole)[:, 2])
    apart: NDArray[np.bool_] = enough & (distance > _DEVIATIONS * np.sqrt(_MEDIAN_VARIANCE * errors) + _TINY)
    return apart


def _variance(summary: Summary) -> Floats:
    logs = _logs(summary)
    # Values that are all alike are known to the width of a bin.
    return np.maximum((logs[:, 3] - logs[:, 1]) / _QUARTILES, 0.02) ** 2


def _logs(summary: Summary) -> Floats:
    amounts = summary.quantiles.copy()
    amounts[_RATIOS:] *= _RATIO_UNIT
    return to_logs(amounts)


def _rate_apart(whole: Summary, recent: Summary, name: str) -> bool:
    others = (whole.events - recent.events) * _AGED
    if recent.events < _LEAST or others < _LEAST * _AGED:
        return False
    before, now = getattr(whole, name), getattr(recent, name)
    middle = (before * others + now * recent.events + 1) / (others + recent.events + 2)  # never 0 nor 1
    return bool(abs(now - before) > _DEVIATIONS * math.sqrt(middle * (1 - middle) * (1 / recent.events + 1 / others)))
