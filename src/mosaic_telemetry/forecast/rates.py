"""Shares and costs per success, with how sure they are.

The interval of a share is Wilson's (E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
JASA 1927). That of the cost per success comes from the delta method in logs: the relative error of a mean is the
coefficient of variation over the root of n, and that of a share p is the root of (1 - p) / (n·p); both are taken as independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from mosaic_telemetry.forecast.histogram import Histogram

__all__ = ["CONFIDENCE", "CostPerSuccess", "cost_per_success", "share_interval"]

CONFIDENCE = 0.8
"""How often an interval is to hold the truth: as often as p10 to p90 hold a task."""


@dataclass(frozen=True, slots=True)
class CostPerSuccess:
    """What one success costs on average, failures paid for: in micro-dollars.

    Attributes:
        value: the estimate; None where nothing has succeeded yet.
        low: lower end of the interval.
        high: upper end; None where nothing has succeeded yet, since it may then be any amount.
    """

    value: float | None
    low: float
    high: float | None


def share_interval(hits: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval (0.0 to 1.0) in which the true share lies with this confidence, after `hits` of `trials`.

    Raises:
        ValueError: no trial, more hits than trials or fewer than none, or a confidence outside 0 to 1.
    """
    if not 0 <= hits <= trials or not trials:
        raise ValueError(f"{hits} of {trials} is no share")
    z = _deviations(confidence)
    share, slack = hits / trials, z * z / trials
    centre = (share + slack / 2) / (1 + slack)
    half = z / (1 + slack) * math.sqrt(share * (1 - share) / trials + slack / (4 * trials))
    return max(centre - half, 0.0) if hits else 0.0, min(centre + half, 1.0) if hits < trials else 1.0


def cost_per_success(costs: Histogram, successes: int, trials: int, confidence: float = CONFIDENCE) -> CostPerSuccess | None:
    """Mean cost over the share of successes, with its interval; None where no cost is known or nothing was tried.

    Args:
        costs: micro-dollars of the tasks whose cost is known.
        successes: tasks that succeeded.
        trials: all tasks that this share is of.
        confidence: how often the interval is to hold the truth.

    Raises:
        ValueError: more successes than trials or fewer than none, or a confidence outside 0 to 1.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    z = _deviations(confidence)
    if costs.is_empty or not trials:
        return None
    mean, deviation = costs.moments()
    if not mean:
        return CostPerSuccess(0.0, 0.0, 0.0) if successes else CostPerSuccess(None, 0.0, None)
    # One cost says nothing of how costs vary: the spread of the logs of typical tasks stands in, as one observation.
    variation = (deviation / mean) ** 2 * costs.total / max(costs.total - 1, 1) if costs.total > 1 else 1.0
    if not successes:
        highest = share_interval(0, trials, confidence)[1]
        return CostPerSuccess(None, mean / highest * math.exp(-z * math.sqrt(variation / costs.total)), None)
    share = successes / trials
    smoothed = (successes + 0.5) / (trials + 1)  # so that n of n is not taken for certain
    error = math.sqrt(variation / costs.total + (1 - smoothed) / (trials * smoothed))
    return CostPerSuccess(mean / share, mean / share * math.exp(-z * error), mean / share * math.exp(z * error))


def _deviations(confidence: float) -> float:
    """Standard deviations to each side that hold this share of a normal distribution."""
    if not 0 < confidence < 1:
        raise ValueError("a confidence lies between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)
