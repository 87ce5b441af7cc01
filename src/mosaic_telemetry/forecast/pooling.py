"""Pooling: what thin cells are taken to be, given the wider ones that contain them.

Raw quantiles of a few values are too narrow and jump about. So each level of the ladder, from the widest to the most specific,
corrects what the wider ones say by its own values, and the more so the more of them it has. All in logarithms, since costs,
tokens and times differ by factors:

    median    = (n·own + k·wider) / (n + k)
    quantiles = w·own + (1 - w)·(the wider level's shape, moved to that median),   w = n / (n + s)

This is the shrinkage of an empirical Bayes estimate of a mean (Efron and Morris, "Data analysis using Stein's estimator and its
generalizations", JASA 1975), carried over to quantiles. Four things are our own:

- n is what a level knows beyond the more specific ones below it, by inclusion and exclusion, so that no task speaks twice.
- k and s fade to nothing as n comes to `FULL`: from there on a level's own quantiles stand, untouched.
- k can weaken where a level differs from the wider one by more than chance (a t-shaped prior instead of a normal one).
- A median of few values is itself uncertain: the half-widths are stretched by sqrt(1 + 1 / (n + k)), which fades as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast.ladder import LADDER

__all__ = ["CANDIDATES", "DEFAULT", "FULL", "PRIOR", "SHARES", "TYPICAL", "Constants", "Foreign", "fading", "from_logs", "own_size", "pool", "to_logs"]

Floats = NDArray[np.float64]
Sizes = NDArray[np.int64]

FULL = 100
"""Values from which on a level's own quantiles are published as they are."""

SHARES = (0.10, 0.25, 0.50, 0.75, 0.90)
"""The quantiles of an answer; every array of quantiles has them as its last axis."""

PRIOR = 20
"""Values for which somebody else's forecast counts at most, however many are behind it."""

_FADE_FROM = 50
_MEDIAN = 2
_QUARTILES = 1.349  # standard deviations from p25 to p75 of a normal distribution
_TINY = 1e-9
_FLOOR = 0.5  # amounts are whole numbers; this is the logarithm's stand-in for 0
TYPICAL = np.array([-1.2, -0.6, 0.0, 0.6, 1.2])
"""The shape of a typical task, in logarithms around the median, which a first level of few values borrows: half of all within a factor of 1.8, four in
five within 3.3."""


@dataclass(frozen=True, slots=True, order=True)
class Constants:
    """How strongly a level holds to the wider one, in values.

    Attributes:
        median: k, how many own values weigh as much as the wider level in the median.
        shape: s, the same for the shape around it.
        tail: with a finite one, k weakens where a level clearly differs from the wider one: as if the ways in which levels differ
            had a Student t distribution of so many degrees of freedom, instead of a normal one.
    """

    median: float
    shape: float
    tail: float = math.inf


class Foreign(NamedTuple):
    """Somebody else's forecasts, one row a question: each comes in as one more rung, just wider than the own level that is as specific.

    Attributes:
        levels: at which level of the ladder each forecast was made.
        sizes: how many values are behind it; 0 where there is no forecast.
        quantiles: the logarithms of its quantiles, `[question, share]`.
    """

    levels: Sizes
    sizes: Sizes
    quantiles: Floats


DEFAULT = Constants(4.0, 10.0)
"""Where nothing has been learned yet."""

CANDIDATES = tuple(Constants(float(median), float(shape), tail) for median in (1, 2, 4, 8, 16, 32) for shape in (3, 5, 10, 20, 40) for tail in (math.inf, 4.0))
"""Among which a record of forecasts decides."""


def to_logs(values: Floats) -> Floats:
    """Logarithms of amounts; 0 stands as 0.5."""
    return np.log(np.maximum(values, _FLOOR))


def from_logs(logs: Floats) -> Floats:
    """Amounts from `to_logs`."""
    return np.exp(logs)


def fading(sizes: Sizes) -> Floats:
    """How far a correction for few values still applies: 1 up to 50 values, 0 from 100 on."""
    return np.clip((FULL - sizes) / (FULL - _FADE_FROM), 0.0, 1.0)


def own_size(sizes: Sizes) -> Sizes:
    """Values in the most specific level that has any; 0 where none has. `sizes` is as in `pool`."""
    first = np.argmax(sizes > 0, axis=1)
    found: Sizes = sizes[np.arange(len(sizes)), first]
    return found


def pool(sizes: Sizes, quantiles: Floats, constants: Constants = DEFAULT, foreign: Foreign | None = None) -> Floats:
    """The pooled quantiles, in logarithms, of any number of questions at once.

    Args:
        sizes: how many values each level holds: one row a question, one column a level of the ladder, the most specific first.
        quantiles: logarithms of each level's own quantiles, `[question, level, share]`; what stands where a level is empty is ignored.
        constants: how strongly levels hold to wider ones.
        foreign: somebody else's forecasts. Own values of levels as specific or more so correct them as they correct any wider level;
            against own values of wider levels they stand as at most `PRIOR` values.

    Returns:
        `[question, share]`, rising along each row; zeros where no level has a value.
    """
    known = np.maximum(_beyond(sizes), 0)  # levels that were read at different moments may not quite contain each other
    state = np.zeros((len(sizes), len(SHARES)))
    begun = np.zeros(len(sizes), dtype=np.bool_)
    for level in reversed(range(len(LADDER))):
        if foreign is not None and (enters := (foreign.levels == level) & (foreign.sizes > 0)).any():
            said = _corrected(np.minimum(foreign.sizes, PRIOR), foreign.quantiles, state, constants)
            state = np.where(enters[:, None], np.where(begun[:, None], said, foreign.quantiles), state)
            begun |= enters
        count, own = known[:, level], quantiles[:, level]
        adds = count > 0
        if not adds.any():
            continue
        wider = np.where(begun[:, None], state, own[:, _MEDIAN, None] + TYPICAL)
        state = np.where(adds[:, None], _corrected(count, own, wider, constants), state)
        begun |= adds
    size = own_size(sizes)
    stretch = 1 + (np.sqrt(1 + 1 / (size + constants.median)) - 1) * fading(size)
    middle = state[:, _MEDIAN, None]
    pooled: Floats = middle + (state - middle) * stretch[:, None]
    return pooled


def _beyond(sizes: Sizes) -> Sizes:
    """What each level knows beyond the more specific ones: the levels are those of `LADDER`.

    (task, model) and (task, complexity) overlap in (task, model, complexity), which (task) must therefore not lose twice.
    """
    exact, any_provider, task_and_model, task_and_size, task, everything = sizes.T
    return np.stack(
        [
            exact,
            any_provider - exact,
            task_and_model - any_provider,
            task_and_size - any_provider,
            task - task_and_model - task_and_size + any_provider,
            everything - task,
        ],
        axis=1,
    )


def _corrected(count: Sizes, own: Floats, wider: Floats, constants: Constants) -> Floats:
    """The wider level's quantiles, corrected by `count` values with quantiles `own`."""
    left = np.clip(1 - count / FULL, 0.0, 1.0)
    middle, wider_middle = own[:, _MEDIAN, None], wider[:, _MEDIAN, None]
    with np.errstate(invalid="ignore"):  # 0 of 0 where a level adds nothing; not used
        weight = (count / (count + constants.shape * left))[:, None]
        pull = (count / (count + _hold(count, own, wider, constants) * left))[:, None]
    median = pull * middle + (1 - pull) * wider_middle
    mixed = weight * own + (1 - weight) * (wider - wider_middle + median)
    mixed[:, _MEDIAN] = median[:, 0]
    # The own shape stands where it was, the wider one was moved: around the median they may cross.
    mixed[:, :_MEDIAN] = np.minimum(np.minimum.accumulate(mixed[:, _MEDIAN - 1 :: -1], axis=1)[:, ::-1], median)
    mixed[:, _MEDIAN + 1 :] = np.maximum(np.maximum.accumulate(mixed[:, _MEDIAN + 1 :], axis=1), median)
    return np.where((count >= FULL)[:, None], own, mixed)


def _hold(count: Sizes, own: Floats, wider: Floats, constants: Constants) -> Floats | float:
    """k, weaker where the two medians lie farther apart than chance would have it."""
    if math.isinf(constants.tail):
        return constants.median
    variance = ((wider[:, _MEDIAN + 1] - wider[:, _MEDIAN - 1]) / _QUARTILES) ** 2 + _TINY
    # The variance of a median of n normal values is pi / 2n times theirs: what is beyond it is taken for a real difference.
    apart = np.maximum((own[:, _MEDIAN] - wider[:, _MEDIAN]) ** 2 - math.pi / 2 * variance / np.maximum(count, 1), 0.0)
    weakened: Floats = constants.median * (constants.tail + 1) / (constants.tail + constants.median * apart / variance)
    return np.minimum(weakened, constants.median)
