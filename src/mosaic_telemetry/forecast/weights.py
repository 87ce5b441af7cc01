"""What an event weighs by its age: half as much for every 30 days, in whole numbers.

This is forward decay (Cormode, Shkapenyuk, Srivastava, Xu, "Forward decay: a practical time decay model for streaming systems", ICDE 2009):
an event's weight grows with the days from a fixed landmark to its own day, and never changes afterwards; only the relation
between weights counts. So a sum of weights is added to and taken from without looking back, and, the weights being whole
numbers, exactly. When they come to be large, the landmark moves on by a multiple of the half-life, which halves all weights
so many times, also exactly, as long as no event lies before the new landmark.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["HALF_LIFE_DAYS", "LARGEST_AGE", "days_of", "weights_of"]

HALF_LIFE_DAYS = 30

LARGEST_AGE = 690
"""Days after the landmark from which on weights grow no more: they are 2^29 there, so that a sum over 10^10 events fits into 63 bits."""

_LATE = 90  # a task that ended longer before it was reported weighs as if it had ended so many days before
_DAY_MS = 86_400_000
_STEPS = np.rint(2 ** (np.arange(HALF_LIFE_DAYS) / HALF_LIFE_DAYS) * 64).astype(np.int64)

Days = NDArray[np.int64]


def days_of(timestamps_ms: Days, received_ms: Days) -> Days:
    """The day (UTC, since 1970) by which each event is weighed: that on which the task ended, but not after its receipt nor 90 days before."""
    received = received_ms // _DAY_MS
    return np.clip(timestamps_ms // _DAY_MS, received - _LATE, received)


def weights_of(days: Days, landmark: int) -> Days:
    """The weight of an event of each of these days, from 64 upwards; days before the landmark weigh as the landmark does."""
    ages = np.clip(days - landmark, 0, LARGEST_AGE)
    return _STEPS[ages % HALF_LIFE_DAYS] << (ages // HALF_LIFE_DAYS)
