"""Which model is cheapest per success?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mosaic_telemetry.forecast.cell import Cell
from mosaic_telemetry.forecast.ladder import ENOUGH
from mosaic_telemetry.forecast.rates import CostPerSuccess, cost_per_success, share_interval

__all__ = ["Standing", "compare"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a model did on one kind of task.

    Attributes:
        model: its name.
        events: tasks behind the figures.
        cost: micro-dollars per success; None where the events are too few, or no price is known.
        success_rate: share of tasks that succeeded; None where the events are too few.
        success_interval: its interval, as in `share_interval`; None likewise.
        duration_ms: the median; None likewise.
        typical_cost: the median cost of a task, in micro-dollars; None likewise or where no price is known.
    """

    model: str
    events: int
    cost: CostPerSuccess | None = None
    success_rate: float | None = None
    success_interval: tuple[float, float] | None = None
    duration_ms: float | None = None
    typical_cost: float | None = None

    @property
    def enough(self) -> bool:
        """Whether there is enough data to say anything."""
        return self.events >= ENOUGH


def compare(cells: Mapping[str, Cell], budget: float = math.inf) -> list[Standing]:
    """Models from the cheapest per success to the dearest; then those without a success or a price, then those with too few events.

    Args:
        cells: by model, what is known of it on the kind of task that is asked about.
        budget: micro-dollars that a typical task may cost; models whose median is above it are left out.
    """
    standings = [_standing(model, cell) for model, cell in cells.items()]
    within = [one for one in standings if one.typical_cost is None or one.typical_cost <= budget]
    return sorted(within, key=lambda one: (not one.enough, one.cost is None, _value(one), one.model))


def _standing(model: str, cell: Cell) -> Standing:
    if cell.events < ENOUGH:
        return Standing(model, cell.events)
    costs, successes = cell.cost_micros, round(cell.success_rate * cell.events)
    priced = costs.total >= ENOUGH
    return Standing(
        model=model,
        events=cell.events,
        cost=cost_per_success(costs, successes, cell.events) if priced else None,
        success_rate=cell.success_rate,
        success_interval=share_interval(successes, cell.events),
        duration_ms=cell.duration_ms.quantile(0.5),
        typical_cost=costs.quantile(0.5) if priced else None,
    )


def _value(one: Standing) -> float:
    return math.inf if one.cost is None or one.cost.value is None else one.cost.value
