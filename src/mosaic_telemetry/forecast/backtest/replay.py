"""The replay: learn from the known, forecast the judged, score beside the baselines.

Nothing of a judged task is ever learned from: constants and calibration come from folds *within* the known tasks, each forecast by the
others, and are then applied to the judged ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from mosaic_telemetry.forecast.backtest.knowledge import Sight, joined, look, thinned
from mosaic_telemetry.forecast.backtest.splits import FOLDS, Split, folds_of
from mosaic_telemetry.forecast.backtest.table import Mask, Numbers, Table
from mosaic_telemetry.forecast.calibration import CLASSES, Calibration, class_of
from mosaic_telemetry.forecast.pooling import CANDIDATES, DEFAULT, Constants, Floats, own_size, pool, to_logs
from mosaic_telemetry.forecast.scoring import Score, pinball

__all__ = ["METHODS", "VIEWS", "Verdict", "backtest"]

METHODS = ("pooled", "default", "grown", "hard", "ladder", "cell", "global")
"""pooled: with constants and calibration learned from the known tasks; default: with those of this release; grown: as pooled, but by a server that knows
all known tasks, whatever is known at the age that is judged: what thin cells could gain; hard: raw quantiles of the most specific level with any value, as
the wire contract has it: a dimension is dropped only where nothing is known; ladder: those of the most specific level with enough values; cell: raw
quantiles of the exact cell; global: those of all known tasks."""

VIEWS = ("now", "all", "1-9", *CLASSES)
"""now: all known tasks are known; all: at every age of the cells; then by how many values the exact cell had."""

_FEW = (1, 2)  # the classes that "1-9" joins


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the forecasts of one target did.

    Attributes:
        tasks: judged tasks.
        scores: by method and view.
        constants: how often each pair was learned.
    """

    tasks: int
    scores: dict[tuple[str, str], Score] = field(default_factory=lambda: {(method, view): Score() for method in METHODS for view in VIEWS})
    constants: Counter[Constants] = field(default_factory=Counter)


def _untold(_done: int, _most: int) -> None:
    """Tells nobody how far it is."""


def backtest(  # noqa: PLR0913 - a generator, a number and a callback that most leave out
    table: Table,
    target: str,
    splits: Sequence[Split],
    rng: np.random.Generator,
    ages: int | None = None,
    *,
    progress: Callable[[int, int], object] = _untold,
) -> Verdict | None:
    """How forecasts of `target` would have done; None where fewer than two known or no judged tasks have it.

    A task is judged where the ladder answers at all: from five known values on.

    Args:
        table: the tasks.
        target: one of `TARGETS`.
        splits: which tasks are known and judged, round by round.
        rng: draws folds and ages; the same generator gives the same figures.
        ages: how many younger servers to judge beside the one that knows all; None for as many as take about a minute at most.
        progress: called after each look at what a server knows, with how many there were, and how many there will be at most.
    """
    values = table.amounts[target]
    there = ~np.isnan(values)
    ages = max(3, min(24, 200_000 // max(int(there.sum()), 1))) if ages is None else ages
    looks = count(1)
    most = len(splits) * FOLDS * (ages + 1)
    replay = _Replay(table, table.binned(target), to_logs(np.where(there, values, 1.0)), rng, ages, lambda: progress(next(looks), most))
    verdict = Verdict(tasks=int(sum((split.judged & there).sum() for split in splits)))
    for split in splits:
        known, judged = split.known & there, np.flatnonzero(split.judged & there)
        if known.sum() < 2 or not len(judged):
            continue
        learned = replay.learn(known)
        verdict.constants[learned.constants] += 1
        grown = None
        for sight in replay.sights(known, judged):
            grown = _judge(verdict, sight, replay.logs[judged], learned, grown)
    return verdict if verdict.constants else None


@dataclass(frozen=True, slots=True)
class _Learned:
    constants: Constants
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class _Replay:
    table: Table
    values: Floats
    logs: Floats
    rng: np.random.Generator
    ages: int
    looked: Callable[[], object]

    def sights(self, known: Mask, judged: Numbers) -> Iterator[Sight]:
        """What is known, first to a server that knows all, then to younger ones."""
        for age in range(self.ages + 1):
            seen = thinned(self.table, known, self.rng) if age else known
            yield look(self.table, self.values, seen, judged)
            self.looked()

    def learn(self, known: Mask) -> _Learned:
        """Constants and calibration from folds within the known tasks."""
        rows = np.flatnonzero(known)
        calibration = Calibration()
        if len(np.unique(self.table.groups[rows])) < 2:
            return _Learned(DEFAULT, calibration)
        fold = folds_of(self.table.groups[rows], FOLDS - 1, self.rng)
        sights, judgements = [], []
        for number in range(int(fold.max()) + 1):
            judged = rows[fold == number]
            others = known.copy()
            others[judged] = False
            for sight in self.sights(others, judged):
                sights.append(sight)
                judgements.append(self.logs[judged])
        sight, logs = joined(sights), np.concatenate(judgements)
        losses = {candidate: float(pinball(_pooled(sight, candidate), logs).sum()) for candidate in CANDIDATES}
        constants = min(losses, key=lambda candidate: (losses[candidate], candidate))
        calibration.record(own_size(sight.sizes)[sight.rows], _pooled(sight, constants), logs)
        return _Learned(constants, calibration)


def _pooled(sight: Sight, constants: Constants) -> Floats:
    """The uncorrected forecast of each judged task."""
    forecasts: Floats = pool(sight.sizes, sight.quantiles, constants)[sight.rows]
    return forecasts


def _judge(verdict: Verdict, sight: Sight, logs: Floats, learned: _Learned, grown: Floats | None) -> Floats:
    """Score all methods; what the server that knows all said of each judged task, which is the first to be judged, and then handed on."""
    pooled = learned.calibration.correct(own_size(sight.sizes), pool(sight.sizes, sight.quantiles, learned.constants))[sight.rows]
    forecasts = {
        "pooled": pooled,
        "default": pool(sight.sizes, sight.quantiles, DEFAULT)[sight.rows],
        "grown": pooled if grown is None else grown,
        "hard": sight.ladder(1)[sight.rows],
        "ladder": sight.ladder()[sight.rows],
        "cell": sight.level(0)[sight.rows],
        "global": sight.level(-1)[sight.rows],
    }
    answered = ~np.isnan(forecasts["ladder"][:, 0])
    classes = class_of(sight.sizes[:, 0])[sight.rows]
    for number in np.unique(classes[answered]).tolist():
        rows = answered & (classes == number)
        views = [CLASSES[number], "all", *(["1-9"] if number in _FEW else []), *(["now"] if grown is None else [])]
        for method, found in forecasts.items():
            expected = found[rows]
            if np.isnan(expected).any():  # an exact cell without values says nothing
                continue
            score = Score()
            score.add(expected, logs[rows])
            for view in views:
                verdict.scores[method, view].merge(score)
    return forecasts["grown"]
