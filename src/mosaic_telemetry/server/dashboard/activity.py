"""What came in, what was refused, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.engine.intake import ACCEPTED, DUPLICATE
from mosaic_telemetry.engine.reporting import day_of, number_of
from mosaic_telemetry.engine.store import IntakeKey
from mosaic_telemetry.server.dashboard.asking import STRETCHES, Asked, asked
from mosaic_telemetry.server.dashboard.rendering import page

__all__ = ["activity"]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: of what, and how many events were accepted, known before, and refused."""

    name: str
    accepted: int
    duplicate: int
    invalid: int

    @classmethod
    def of(cls, name: str, results: Mapping[str, int]) -> Line:
        """A row from numbers by result."""
        return cls(name, results.get(ACCEPTED, 0), results.get(DUPLICATE, 0), sum(results.values()) - results.get(ACCEPTED, 0) - results.get(DUPLICATE, 0))


def activity(request: Request) -> Response:
    """By day and by reason; by instance too, unless the server is a public one."""
    engine: Engine = request.app.state.engine
    what = asked(request.query_params)
    counts = engine.intake(what.since, what.until)
    by_day, by_result = _grouped(counts, "day"), Counter[str]()
    for key, events in counts.items():
        by_result[key.result] += events
    values = {
        "asked": what,
        "stretches": STRETCHES,
        "total": Line.of("", by_result),
        "reasons": [(result, events) for result, events in by_result.most_common() if result not in {ACCEPTED, DUPLICATE}],
        "days": [Line.of(day_of(int(day)).isoformat(), by_day[day]) for day in sorted(by_day, reverse=True)],
        "instances": [] if engine.is_public else _instances(engine, counts),
        "chart": _chart(what, by_day),
    }
    return page(request, "activity.html", values)


def _grouped(counts: Mapping[IntakeKey, int], field: str) -> dict[int, Counter[str]]:
    groups: dict[int, Counter[str]] = {}
    for key, events in counts.items():
        groups.setdefault(getattr(key, field), Counter())[key.result] += events
    return groups


def _instances(engine: Engine, counts: Mapping[IntakeKey, int]) -> list[Line]:
    names = {instance.number: instance.name or str(instance.instance_id) for instance in engine.accounts.instances()}
    rows = [Line.of(names.get(number, str(number)), results) for number, results in _grouped(counts, "instance").items()]
    return sorted(rows, key=lambda row: (-row.accepted, row.name))


def _chart(what: Asked, days: Mapping[int, Mapping[str, int]]) -> dict[str, Any]:
    lines = [Line.of("", days.get(number_of(what.since + timedelta(days=day)), {})) for day in range(what.days)]
    return {
        "time": [number_of(what.since + timedelta(days=day)) * 86_400 for day in range(what.days)],
        "accepted": [line.accepted for line in lines],
        "refused": [line.invalid for line in lines],
    }
