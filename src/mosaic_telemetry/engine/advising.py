"""Answers to what people ask before they start: which model, within which budget, and how much more.

All of it comes from what predictions come from, and says "not enough data" where that is so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mosaic_telemetry.engine.ladders import Find
from mosaic_telemetry.forecast import (
    QUANTILES,
    SHOWN_FROM,
    Standing,
    amount_kept,
    chance_within,
    compare,
    keys_of,
    same_model,
    still_to_come,
)
from mosaic_telemetry.schema import PredictionData, PredictionResponse, to_dict

__all__ = ["QUANTITIES", "Allowance", "allowances", "budget_as_json", "comparison_as_json", "standings"]

QUANTITIES = ("cost_usd_micros", "input_tokens", "output_tokens", "duration_ms")
"""What a budget can be of."""

_KEPT = 0.9
_ANY_PROVIDER = 1  # level of the ladder: kind of work, model and size


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is known of one quantity of a task, against a limit and what is already spent.

    Attributes:
        kept: the amount that nine tasks in ten stay within.
        limit: what was allowed, if anything.
        chance: that a task stays within the limit, given what it has already taken; None without a limit.
        spent: what the task has already taken.
        still_to_come: `p10` to `p90` of what it will take beyond that; None where nothing is spent yet, or more than is known of any such task.
    """

    kept: float
    limit: float | None
    chance: float | None
    spent: float | None
    still_to_come: Mapping[str, float] | None


def standings(  # noqa: PLR0913 - what is asked, and where it is read
    task_type: str, complexity: str, models: Iterable[str], find: Find, *, public: bool, budget: float = math.inf
) -> list[Standing]:
    """Models on one kind of task, from whatever provider: from the cheapest per success to the dearest.

    Args:
        task_type: kind of work.
        complexity: size of the task.
        models: which to compare.
        find: reads cells.
        public: whether cells of few instances are not to be shown.
        budget: micro-dollars that a typical task may cost.
    """
    names = {same_model(model): keys_of(task_type, model, "", complexity)[_ANY_PROVIDER] for model in models}
    found = find(names.values())
    shown = {model: found[key].cell for model, key in names.items() if key in found and (found[key].instances >= SHOWN_FROM or not public)}
    missing = [Standing(model, 0) for model in names if model not in shown]
    return [*compare(shown, budget), *missing]


def allowances(data: PredictionData, limits: Mapping[str, float], spent: Mapping[str, float]) -> dict[str, Allowance]:
    """Of each quantity that is known: what a budget must be, how likely one is kept, what is still to come.

    Raises:
        ValueError: an amount is negative.
    """
    found = {}
    for quantity in QUANTITIES:
        named = getattr(data, quantity)
        values = named if isinstance(named, Mapping) else to_dict(named)
        if values:
            found[quantity] = _allowance([values[name] for name in QUANTILES], limits.get(quantity), spent.get(quantity))
    return found


def _allowance(quantiles: Sequence[float], limit: float | None, spent: float | None) -> Allowance:
    chance = None if limit is None else chance_within(quantiles, limit)
    if spent is None:
        return Allowance(amount_kept(quantiles, _KEPT), limit, chance, None, None)
    rest = still_to_come(quantiles, spent)
    reached = chance_within(quantiles, spent)
    if limit is not None and chance is not None:
        chance = 0.0 if spent > limit or rest is None else max(chance - reached, 0.0) / (1 - reached)
    kept = amount_kept(quantiles, _KEPT) if rest is None else spent + rest[-1]
    return Allowance(kept, limit, chance, spent, None if rest is None else dict(zip(QUANTILES, rest, strict=True)))


def comparison_as_json(task_type: str, complexity: str, found: Sequence[Standing]) -> dict[str, Any]:
    """The comparison as JSON values; null is what is not known."""
    return {"task_type": task_type, "complexity": complexity, "models": [_standing_as_json(one) for one in found]}


def _standing_as_json(one: Standing) -> dict[str, Any]:
    cost = one.cost
    low, high = one.success_interval or (None, None)
    return {
        "model": one.model,
        "sample_size": one.events,
        "enough_data": one.enough,
        "cost_per_success_usd_micros": None if cost is None else {"value": _whole(cost.value), "low": _whole(cost.low), "high": _whole(cost.high)},
        "success_rate": None if one.success_rate is None else {"value": one.success_rate, "low": low, "high": high},
        "duration_ms": _whole(one.duration_ms),
        "cost_usd_micros": _whole(one.typical_cost),
    }


def budget_as_json(answer: PredictionResponse, found: Mapping[str, Allowance]) -> dict[str, Any]:
    """The budget as JSON values."""
    return {
        "quantities": {
            name: {
                "kept_in_9_of_10": round(one.kept),
                "limit": one.limit,
                "chance": None if one.chance is None else round(one.chance, 4),
                "spent": one.spent,
                "still_to_come": None if one.still_to_come is None else {key: round(value) for key, value in one.still_to_come.items()},
            }
            for name, one in found.items()
        },
        "metadata": to_dict(answer.metadata),
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
