"""The first page: tasks, spend, cost per success and success over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.engine.reporting import cost_per_success, day_of, number_of, success_rate
from mosaic_telemetry.engine.store import Totals
from mosaic_telemetry.server.dashboard.asking import FILTERS, STRETCHES, Asked, asked
from mosaic_telemetry.server.dashboard.publishing import Publishing, Sums
from mosaic_telemetry.server.dashboard.rendering import page

__all__ = ["overview"]

_ROWS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table.

    Attributes:
        name: of what.
        total: its sums.
        success_rate: share of tasks that succeeded.
        per_success: micro-dollars per success; None where it is not known.
    """

    name: str
    total: Totals
    success_rate: float
    per_success: float | None

    @classmethod
    def of(cls, name: str, total: Totals) -> Line:
        """A row from its sums."""
        return cls(name, total, success_rate(total) or 0.0, cost_per_success(total))


def overview(request: Request) -> Response:
    """What was reported, over time and by model and kind of task."""
    engine: Engine = request.app.state.engine
    what = asked(request.query_params)
    kinds = engine.sum_totals(what.since, what.until, FILTERS, what.only)  # once: each question reads every total of the days
    publishing = Publishing(engine, what.since, what.until, ((str(task_type), str(model)) for model, task_type, _ in kinds))
    by_day = engine.sum_totals(what.since, what.until, ("day",), what.only)
    whole = publishing.whole(_sum(by_day.values()) if by_day else None, what.only)
    days = {number: total for (number,), total in publishing.shown("day", by_day, what.only).items()}
    filters = () if publishing.is_public else FILTERS
    grouped = {group: _by(place, kinds) for place, group in enumerate(FILTERS)}
    groups = [(group, _rows(publishing.shown(group, sums, what.only))) for group, sums in grouped.items()]
    values = {
        "asked": what,
        "stretches": STRETCHES,
        "total": Line.of("", whole) if whole else None,
        "chart": _chart(what, days) if whole else None,
        "days": [Line.of(day_of(int(number)).isoformat(), days[number]) for number in sorted(days, reverse=True)],
        "choices": {group: _names(engine, what, group) if group in what.only else sorted(str(name) for (name,) in grouped[group]) for group in filters},
        "groups": [(group, rows) for group, rows in groups if rows],
    }
    return page(request, "overview.html", values)


def _sum(totals: Iterable[Totals]) -> Totals:
    return Totals(*map(sum, zip(*totals, strict=True)))


def _by(place: int, sums: Sums) -> Sums:
    """The sums by one of the fields that they are by."""
    found: dict[int | str, list[Totals]] = {}
    for key, total in sums.items():
        found.setdefault(key[place], []).append(total)
    return {(name,): _sum(totals) for name, totals in found.items()}


def _rows(sums: Sums) -> list[Line]:
    rows = sorted(sums.items(), key=lambda item: (-item[1].cost_usd_micros, -item[1].events, str(item[0])))
    return [Line.of(str(name), total) for (name,), total in rows[:_ROWS]]


def _names(engine: Engine, what: Asked, group: str) -> list[str]:
    """What a filter that is set can be set to: what there is under the others."""
    others = {name: value for name, value in what.only.items() if name != group}
    found = {str(name) for (name,) in engine.sum_totals(what.since, what.until, (group,), others)}
    return sorted(found | {what.only[group]})


def _chart(what: Asked, days: Mapping[int | str, Totals]) -> dict[str, Any]:
    """Columns for the charts: times in seconds since 1970, dollars, counts and shares; None where there is nothing to show."""
    stretch = [what.since + timedelta(days=day) for day in range(what.days)]
    totals = [days.get(number_of(day)) for day in stretch]
    per_success = [cost_per_success(total) if total else None for total in totals]
    return {
        "time": [number_of(day) * 86_400 for day in stretch],
        "tasks": [total.events if total else 0 for total in totals],
        "spend": [round(total.cost_usd_micros / 1e6, 4) if total else 0 for total in totals],
        "per_success": [None if cost is None else round(cost / 1e6, 4) for cost in per_success],
        "success": [round(100 * (success_rate(total) or 0.0), 1) if total else None for total in totals],
    }
