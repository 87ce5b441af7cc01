"""Who reports what: the numbers that the simulation assumes, all of them here, and what follows from them exactly.

An instance is one person's machine or one orchestrator. How much it does is spread log-normally; which models it uses are three
draws from one popularity for all, which is why a rare model's tasks come from few instances; kinds of work, complexities and
providers are independent of that. Each month some of the models that many use are replaced by new names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast import LADDER
from mosaic_telemetry.schema import Complexity, Provider, TaskType

Floats = NDArray[np.float64]

MONTH = 30
"""Days."""

DAY = 86_400
"""Seconds."""

SLOTS = (0.7, 0.2, 0.1)
"""How much of its work an instance does with its first, second and third model."""


@dataclass(frozen=True, slots=True)
class World:
    """What is assumed.

    Attributes:
        tasks_a_day: of the median instance.
        spread: of the logarithm of that over instances.
        most_a_day: what the busiest instance does.
        models: names in use at a time; popularity falls with rank to the power of `steepness`.
        steepness: 1 is Zipf's law.
        replaced: of the twenty models that are used most, how many get a new name each month.
        task_spread: of the logarithm of a task's cost about its kind's median.
        own_spread: of the logarithm of an instance's costs about everybody's.
        types: how often each kind of work is, most frequent first.
        complexities: the same of complexities.
        providers: shares of a model's first, second and third provider.
    """

    tasks_a_day: float = 3.0
    spread: float = 1.2
    most_a_day: float = 400.0
    models: int = 300
    steepness: float = 1.1
    replaced: int = 3
    task_spread: float = 0.8
    own_spread: float = 0.4
    types: Sequence[float] = field(default_factory=lambda: _falling(len(TaskType), 0.8))
    complexities: Sequence[float] = field(default_factory=lambda: _falling(len(Complexity), 0.7))
    providers: Sequence[float] = (0.88, 0.09, 0.03)

    def popularity(self) -> Floats:
        """The share of each rank."""
        return np.array(_falling(self.models, self.steepness))

    def occupants(self, months: int) -> NDArray[np.int64]:
        """The number of the model that stands at each rank, by month (months x ranks); the replaced ones change in turn."""
        names = np.tile(np.arange(self.models), (months, 1))
        fresh = self.models
        for month in range(1, months):
            names[month] = names[month - 1]
            for place in range(self.replaced):
                names[month, (month * self.replaced + place) % min(20, self.models)] = fresh
                fresh += 1
        return names

    def activity(self, parts: int = 60) -> Floats:
        """Tasks a day of instances, as so many equally frequent ones."""
        from statistics import NormalDist

        places = np.array([NormalDist().inv_cdf((place + 0.5) / parts) for place in range(parts)])
        return np.minimum(self.tasks_a_day * np.exp(self.spread * places), self.most_a_day)


def _falling(count: int, steepness: float) -> list[float]:
    shares = 1 / np.arange(1, count + 1) ** steepness
    return list(shares / shares.sum())


@dataclass(frozen=True)
class Expected:
    """What many instances come to over a window, exactly: every sum over all cells there can be, none of it drawn.

    Args:
        world: what is assumed.
        days: the length of the window.
        first_month: the month in which it begins.
    """

    world: World
    days: int
    first_month: int = 0

    @cached_property
    def _windows(self) -> list[tuple[Floats, float]]:
        """For each stretch of months for which a name stands at a rank: (share of that rank by slot, days)."""
        months = -(-self.days // MONTH)
        names = self.world.occupants(self.first_month + months)[self.first_month :]
        popularity = self.world.popularity()
        stretches: dict[int, list[float]] = {}
        for month in names:
            for rank, name in enumerate(month):
                stretches.setdefault(int(name), [popularity[rank], 0.0])[1] += MONTH
        return [(np.array([share]), days) for share, days in stretches.values()]

    def levels(self) -> Iterator[tuple[int, Floats, Floats]]:
        """For each level of the ladder: the chance that an instance is in each cell, and the tasks a day that it adds to it.

        Each is one number a cell, in the same order.
        """
        world, rates = self.world, self.world.activity()
        for level, kept in enumerate(LADDER):
            rest = _product(
                *([world.types] if "task_type" in kept else []),
                *([world.complexities] if "complexity" in kept else []),
                *([world.providers] if "provider" in kept else []),
            )
            if "model" not in kept:
                tasks = rates[:, None] * self.days * rest[None, :]
                yield level, (1 - np.exp(-tasks)).mean(axis=0), rates.mean() * rest
                continue
            present, amounts = [], []
            for share, days in self._windows:
                absent = np.ones((len(rates), len(rest)))
                for slot in SLOTS:
                    absent *= 1 - share[0] * (1 - np.exp(-rates[:, None] * slot * days * rest[None, :]))
                present.append((1 - absent).mean(axis=0))
                amounts.append(rates.mean() * share[0] * rest * days / self.days)
            yield level, np.concatenate(present), np.concatenate(amounts)


def _product(*shares: Sequence[float]) -> Floats:
    """The share of each combination."""
    whole = np.ones(1)
    for one in shares:
        whole = np.outer(whole, np.array(one)).ravel()
    return whole


def names_of(world: World) -> tuple[list[str], list[str], list[str]]:
    """The words for kinds of work, complexities and providers, as many as are used."""
    return [str(one) for one in TaskType], [str(one) for one in Complexity], [str(one) for one in Provider][: len(world.providers)]
