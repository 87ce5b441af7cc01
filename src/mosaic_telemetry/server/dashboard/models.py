"""Which model is cheapest per success, for a kind of task: the comparison, with its intervals drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.forecast import Standing
from mosaic_telemetry.schema import Complexity, TaskType
from mosaic_telemetry.server.dashboard.drawing import WIDTH, Axis, axis_of
from mosaic_telemetry.server.dashboard.rendering import page

__all__ = ["models"]

_MICROS = 1_000_000
_MOST_DOLLARS = 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """A model, and where its intervals are drawn.

    Attributes:
        standing: how it did.
        cost: places of the low end, the estimate and the high end of its cost per success; None where one of them is not known.
        success: the same of its success rate.
    """

    standing: Standing
    cost: tuple[float, float, float] | None
    success: tuple[float, float, float] | None


def models(request: Request) -> Response:
    """The comparison that the address asks for; of implementations of medium complexity, if it does not."""
    engine: Engine = request.app.state.engine
    given = request.query_params
    task_type = given.get("task_type") if given.get("task_type") in list(TaskType) else TaskType.IMPLEMENTATION
    complexity = given.get("complexity") if given.get("complexity") in list(Complexity) else Complexity.MEDIUM
    budget = _dollars(given.get("budget", ""))
    found = engine.compare(str(task_type), str(complexity), (), math.inf if budget is None else budget * _MICROS)
    axis = axis_of([amount for one in found if one.cost for amount in (one.cost.low, one.cost.value, one.cost.high) if amount is not None])
    values: dict[str, Any] = {
        "task_type": task_type,
        "complexity": complexity,
        "budget": budget,
        "choices": {"task_type": list(TaskType), "complexity": list(Complexity)},
        "rows": [_row(one, axis) for one in found if one.enough],
        "too_few": [one for one in found if not one.enough],
        "axis": axis,
        "width": WIDTH,
        "share_ticks": [(share, _share_place(share)) for share in (0, 0.25, 0.5, 0.75, 1)],
    }
    return page(request, "models.html", values)


def _dollars(text: str) -> float | None:
    try:
        amount = float(text)
    except ValueError:
        return None
    return amount if 0 < amount <= _MOST_DOLLARS else None


def _row(one: Standing, axis: Axis | None) -> Row:
    cost = success = None
    if axis and one.cost and one.cost.value and one.cost.high:
        cost = (axis.place(one.cost.low), axis.place(one.cost.value), axis.place(one.cost.high))
    if one.success_rate is not None and one.success_interval:
        low, high = one.success_interval
        success = (_share_place(low), _share_place(one.success_rate), _share_place(high))
    return Row(one, cost, success)


def _share_place(share: float) -> float:
    """Where a share from 0 to 1 stands."""
    return round(24 + (WIDTH - 48) * share, 1)
