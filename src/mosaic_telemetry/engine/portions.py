"""Events that are counted together, as columns: everything that is done with them is then done with all of them at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.engine.store import COUNTS, EventRow
from mosaic_telemetry.forecast import Tasks
from mosaic_telemetry.schema import Outcome, Provider

__all__ = ["Dimensions", "Numbers", "Portion", "counting", "numbered"]

Numbers = NDArray[np.int64]

Dimensions = tuple[str, str, str, str]
"""Task type, model, provider and complexity."""

T = TypeVar("T", bound=Hashable)

_TASK_TYPE, _HARNESS = EventRow._fields.index("task_type"), EventRow._fields.index("harness")
_NUMBERS = EventRow._fields.index("gate_passed")


def counting(rows: Sequence[EventRow]) -> list[EventRow]:
    """Those of the events that count."""
    return [row for row in rows if row.standing == COUNTS]


def numbered(things: Sequence[T]) -> tuple[list[T], Numbers]:
    """The different ones among things, in the order of their first appearance, and for each thing its place among these."""
    found = list(dict.fromkeys(things))
    places = {thing: place for place, thing in enumerate(found)}
    return found, np.fromiter(map(places.__getitem__, things), np.int64, len(things))


@dataclass(frozen=True, slots=True)
class Portion:
    """Events that count.

    Attributes:
        rows: one by one.
        instances: whose each is.
        received_ms: when each was received, in milliseconds since 1970.
        timestamps_ms: when each task ended, likewise.
        kinds: the different dimensions.
        kind_of: for each event, the place of its dimensions among these.
        labels: the different dimensions with a harness.
        label_of: for each event, the place of its own among these.
        tasks: what cells count of each.
    """

    rows: Sequence[EventRow]
    instances: Numbers
    received_ms: Numbers
    timestamps_ms: Numbers
    kinds: Sequence[Dimensions]
    kind_of: Numbers
    labels: Sequence[tuple[str, ...]]
    label_of: Numbers
    tasks: Tasks

    @classmethod
    def of(cls, events: Sequence[EventRow] | Portion) -> Portion:
        """Those of the events that count."""
        if isinstance(events, Portion):
            return events
        rows = counting(events)
        columns = list(zip(*rows, strict=True)) or [()] * len(EventRow._fields)
        instances, received, timestamps = (np.array(column, dtype=np.int64) for column in columns[1:4])
        labels, label_of = numbered(list(zip(*columns[_TASK_TYPE : _HARNESS + 1], strict=True)))
        kinds, kind_of_label = numbered([(label[0], label[1], label[2], label[3]) for label in labels])
        free = np.array([label[2] == Provider.OLLAMA for label in labels], dtype=np.bool_)
        outcomes, outcome_of = numbered(columns[_HARNESS + 1])
        success = np.array([outcome == Outcome.SUCCESS for outcome in outcomes], dtype=np.bool_)
        gate_passed, input_tokens, output_tokens, cost, duration, estimated_input, estimated_output = (
            np.array(column, dtype=np.int64) for column in columns[_NUMBERS:]
        )
        return cls(
            rows,
            instances,
            received,
            timestamps,
            kinds,
            kind_of_label[label_of],
            labels,
            label_of,
            Tasks(
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cost_micros=cost,
                duration_ms=duration,
                estimated_input_tokens=estimated_input,
                estimated_output_tokens=estimated_output,
                gate_passed=gate_passed.astype(np.bool_),
                success=success[outcome_of],
                free=free[label_of],
            ),
        )

    def beyond(self, sequence: int) -> Portion:
        """Those that were stored after one of them."""
        if self.rows and self.rows[0].sequence > sequence:
            return self
        return Portion.of([row for row in self.rows if row.sequence > sequence])
