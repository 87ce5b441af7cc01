"""What of the totals may be shown: on a private server all of it; on a public one only what enough instances have a part in.

The rule is that of predictions: a sum is shown from `SHOWN_FROM` distinct instances on. Of a model or a kind of task the cells say how
many there are, of a day the numbers of what came in. What neither tells, such as a harness or a narrowed view over time, is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.engine.intake import ACCEPTED
from mosaic_telemetry.engine.store import Totals
from mosaic_telemetry.forecast import SHOWN_FROM, keys_of

__all__ = ["Publishing", "Sums"]

_TASK_AND_MODEL, _TASK, _EVERYTHING = 2, 4, 5  # levels of the ladder

Sums = Mapping[tuple[int | str, ...], Totals]
"""Totals by the values of fields of `TotalKey`."""


class Publishing:
    """What may be shown of an engine's totals.

    Args:
        engine: whose totals these are.
        since: the first day that is shown, in UTC.
        until: the last day.
        kinds: kinds of task and models of these days.
    """

    def __init__(self, engine: Engine, since: date, until: date, kinds: Iterable[tuple[str, str]]) -> None:
        self._engine = engine
        self._days = (since, until)
        self._kinds = frozenset(kinds)
        self.is_public = engine.is_public

    def shown(self, group: str, sums: Sums, only: Mapping[str, str]) -> Sums:
        """Those of these sums, by one field of `TotalKey`, of events with the values in `only`, that may be shown."""
        if not self.is_public:
            return sums
        if only or group not in {"model", "task_type", "day"}:
            return {}
        names = self._known_days() if group == "day" else self._known(group)
        return {key: total for key, total in sums.items() if key[0] in names}

    def whole(self, total: Totals | None, only: Mapping[str, str]) -> Totals | None:
        """The sum of everything, if it may be shown."""
        if not self.is_public or total is None:
            return total
        everything = keys_of("", "", "", "")[_EVERYTHING]
        found = self._engine.find_cells([everything]).get(everything)
        return total if found and found.instances >= SHOWN_FROM and not only else None

    def _known(self, group: str) -> set[str]:
        """Models or kinds of task that enough instances have a part in: as many as in one of their cells there are at least."""
        level = _TASK if group == "task_type" else _TASK_AND_MODEL
        keys = [(task if group == "task_type" else model, keys_of(task, model, "", "")[level]) for task, model in self._kinds]
        cells = self._engine.find_cells({key for _, key in keys})
        return {name for name, key in keys if key in cells and cells[key].instances >= SHOWN_FROM}

    def _known_days(self) -> set[int]:
        """Days on which enough instances reported."""
        instances: dict[int, set[int]] = {}
        for key, events in self._engine.intake(*self._days).items():
            if events and key.result == ACCEPTED:
                instances.setdefault(key.day, set()).add(key.instance)
        return {day for day, found in instances.items() if len(found) >= SHOWN_FROM}
