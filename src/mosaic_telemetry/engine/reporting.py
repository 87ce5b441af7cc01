"""What was spent, and on what: daily totals, added up by any of their dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from mosaic_telemetry.engine.store import TotalKey, Totals

__all__ = ["DIMENSIONS", "cost_per_success", "day_of", "grouped", "number_of", "success_rate"]

DIMENSIONS = TotalKey._fields
"""What totals can be grouped by: the day, as `2026-02-07`, and the dimensions of events."""

_EPOCH = date(1970, 1, 1)


def grouped(totals: Mapping[TotalKey, Totals], by: str | None = None) -> dict[str, Totals]:
    """Totals added up by a dimension, or all under the empty name without one. Days rise; all else falls by cost, then by tasks.

    Raises:
        ValueError: there is no such dimension.
    """
    place = None if by is None else DIMENSIONS.index(by)
    sums: dict[int | str, list[int]] = {}
    for key, total in totals.items():
        into = sums.setdefault("" if place is None else key[place], [0] * len(total))
        for column, number in enumerate(total):
            into[column] += number
    found = {name: Totals(*numbers) for name, numbers in sums.items()}
    if by == "day":
        return {day_of(int(day)).isoformat(): found[day] for day in sorted(found)}
    order = sorted(found.items(), key=lambda item: (-item[1].cost_usd_micros, -item[1].events, str(item[0])))
    return {str(name): total for name, total in order}


def cost_per_success(total: Totals) -> float | None:
    """Micro-dollars per success, failures paid for, over tasks whose cost is known; None where none of them succeeded."""
    return total.cost_usd_micros / total.priced_successes if total.priced_successes else None


def success_rate(total: Totals) -> float | None:
    """The share of tasks that succeeded; None where there is no task."""
    return total.successes / total.events if total.events else None


def day_of(number: int) -> date:
    """A day from its number since 1970."""
    return _EPOCH + timedelta(days=number)


def number_of(day: date | datetime) -> int:
    """The number of a day since 1970; of a moment, of its day in UTC."""
    if isinstance(day, datetime):
        day = day.astimezone(UTC).date()
    return (day - _EPOCH).days
