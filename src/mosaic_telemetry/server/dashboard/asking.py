"""What the pages are asked for in their addresses: always something that can be shown, whatever the address says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

__all__ = ["FILTERS", "STRETCHES", "Asked", "asked"]

STRETCHES = (7, 30, 90, 365)
"""Days that a page may look back."""

FILTERS = ("model", "task_type", "harness")
"""Fields of `TotalKey` that a page can be narrowed to."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A stretch of days, and which events of it.

    Attributes:
        since: first day, in UTC.
        until: last day, in UTC.
        days: how many these are.
        only: values that fields of `TotalKey` must have.
    """

    since: date
    until: date
    days: int
    only: Mapping[str, str]


def asked(parameters: Mapping[str, str], today: date | None = None) -> Asked:
    """What an address asks for; the last 30 days where it says nothing that there is."""
    try:
        days = int(parameters.get("days", ""))
    except ValueError:
        days = 0
    if days not in STRETCHES:
        days = 30
    until = today or datetime.now(UTC).date()
    only = {name: parameters[name] for name in FILTERS if parameters.get(name)}
    return Asked(until - timedelta(days=days - 1), until, days, only)
