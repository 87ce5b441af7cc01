"""The values that pass between the engine and a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID

from mosaic_telemetry.forecast import Cell, CellKey

__all__ = [
    "COUNTS",
    "IMPLAUSIBLE",
    "ON_TRIAL",
    "CellState",
    "Change",
    "EventFields",
    "EventRow",
    "Instance",
    "RecordKey",
    "Share",
    "ShareKey",
    "StoredCell",
    "StoredEvent",
    "TotalKey",
    "Totals",
]

COUNTS = 0
"""An event's standing: it counts."""

IMPLAUSIBLE = 1
"""An event's standing: kept, and not counted, since its numbers do not fit each other."""

ON_TRIAL = 2
"""An event's standing: kept, and not counted, since its instance was too new when it came."""


class EventFields(Protocol):
    """The contract's fields that a store keeps as they are: `TaskCompletionEvent` has them, and so has the decoder's form."""

    @property
    def task_duration_ms(self) -> int: ...
    @property
    def task_type(self) -> str: ...
    @property
    def complexity(self) -> str: ...
    @property
    def harness(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def estimated_input_tokens(self) -> int: ...
    @property
    def estimated_output_tokens(self) -> int: ...
    @property
    def actual_input_tokens(self) -> int: ...
    @property
    def actual_output_tokens(self) -> int: ...
    @property
    def estimated_cost_usd_micros(self) -> int: ...
    @property
    def actual_cost_usd_micros(self) -> int: ...
    @property
    def quality_gate_passed(self) -> bool: ...
    @property
    def quality_gates_run(self) -> Sequence[str]: ...
    @property
    def quality_gates_failed(self) -> Sequence[str]: ...
    @property
    def context_compactions(self) -> int: ...
    @property
    def context_rotations(self) -> int: ...
    @property
    def context_utilization_final(self) -> float: ...
    @property
    def outcome(self) -> str: ...
    @property
    def retry_count(self) -> int: ...
    @property
    def language(self) -> str | None: ...
    @property
    def repo_size_category(self) -> str | None: ...


class StoredEvent(NamedTuple):
    """A valid event on its way into the store.

    Attributes:
        event_id: the 16 bytes of its UUID.
        timestamp_ms: when the task ended, in milliseconds since 1970.
        fields: everything else.
        standing: whether it counts.
    """

    event_id: bytes
    timestamp_ms: int
    fields: EventFields
    standing: int = COUNTS


class EventRow(NamedTuple):
    """What of a stored event goes into cells and totals.

    Attributes:
        sequence: its place in the order in which events were stored; rising, with gaps, never used twice.
        instance: the store's number for the instance that reported it.
        received_ms: when the server received it, in milliseconds since 1970.
        timestamp_ms: when the task ended, in milliseconds since 1970.
        standing: whether it counts.
        task_type: dimension.
        model: dimension, as it was sent.
        provider: dimension.
        complexity: dimension.
        harness: as it was sent.
        outcome: as it was sent.
        gate_passed: 1 if all quality gates passed, else 0.
        input_tokens: actual.
        output_tokens: actual.
        cost_usd_micros: actual, in micro-dollars.
        duration_ms: in milliseconds.
        estimated_input_tokens: 0 where no estimate was made.
        estimated_output_tokens: 0 where no estimate was made.
    """

    sequence: int
    instance: int
    received_ms: int
    timestamp_ms: int
    standing: int
    task_type: str
    model: str
    provider: str
    complexity: str
    harness: str
    outcome: str
    gate_passed: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    duration_ms: int
    estimated_input_tokens: int
    estimated_output_tokens: int


@dataclass(frozen=True, slots=True)
class Instance:
    """An installation that reports events.

    Attributes:
        number: the store's own name for it.
        instance_id: its public id.
        name: what the administrator calls it; may be empty.
        created_ms: when it was created, in milliseconds since 1970.
        local: whether it is the one that commands use which work on the database itself.
    """

    number: int
    instance_id: UUID
    name: str
    created_ms: int
    local: bool = False


@dataclass(frozen=True, slots=True)
class StoredCell:
    """A cell over the window.

    Attributes:
        cell: its statistics.
        updated_ms: when the newest of its events was received, in milliseconds since 1970.
        instances: how many instances have a share in it.
    """

    cell: Cell
    updated_ms: int
    instances: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What one instance has in a cell.

    Attributes:
        events: how many of its events the window holds.
        updated_ms: when the newest of them was received, in milliseconds since 1970.
        cell: their statistics, kept only where instances are weighed.
    """

    events: int
    updated_ms: int
    cell: Cell | None = None

    def joined(self, other: Share | None) -> Share:
        """This and another part of the same share."""
        if other is None:
            return self
        cell = None
        if self.cell is not None and other.cell is not None:
            cell = self.cell.copy()
            cell.merge(other.cell)
        return Share(self.events + other.events, max(self.updated_ms, other.updated_ms), cell)

    def without(self, part: Share) -> Share | None:
        """What is left of this share; None where nothing is."""
        if self.events <= part.events:
            return None
        cell = None
        if self.cell is not None and part.cell is not None:
            cell = self.cell.copy()
            cell.subtract(part.cell)
        return Share(self.events - part.events, self.updated_ms, cell)


ShareKey: TypeAlias = tuple[CellKey, int]
"""A cell, and the number of an instance."""


class TotalKey(NamedTuple):
    """Names a row of the daily totals: the day of the events' timestamps, in days since 1970 (UTC), and their dimensions."""

    day: int
    task_type: str
    model: str
    provider: str
    complexity: str
    harness: str


class Totals(NamedTuple):
    """Sums over events, exact. As a change, any of them may be negative.

    Attributes:
        events: how many.
        successes: whose outcome was success.
        gates_passed: whose quality gates all passed.
        priced: whose cost is known.
        priced_successes: whose cost is known, and whose outcome was success.
        cost_usd_micros: the known costs, in micro-dollars.
        input_tokens: actual.
        output_tokens: actual.
        duration_ms: in milliseconds.
    """

    events: int = 0
    successes: int = 0
    gates_passed: int = 0
    priced: int = 0
    priced_successes: int = 0
    cost_usd_micros: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    duration_ms: int = 0


class RecordKey(NamedTuple):
    """Names a record of past forecasts.

    Attributes:
        target: what was forecast.
        level: of the ladder.
        size: the class of sample size.
        month: of receipt, in months since January 1970 (UTC).
    """

    target: str
    level: int
    size: int
    month: int


@dataclass(frozen=True, slots=True)
class CellState:
    """Which events the cells hold: exactly those that count and whose sequence is above `expired` and at most `counted`.

    Attributes:
        version: rises with every change of cells.
        counted: sequence of the last event that was counted.
        expired: sequence of the last event that was taken out again by age.
        scored: sequence of the last event that was held against its forecast; only ever rises.
        landmark: the day since 1970 from which the weights of events are reckoned.
        profile: how events are weighed, in the engine's words; cells of another profile must be counted anew.
    """

    version: int = 0
    counted: int = 0
    expired: int = 0
    scored: int = 0
    landmark: int = 0
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of cells and of what hangs on them, all or nothing.

    Attributes:
        before: the version that the change was computed from: it is made only if that still stands.
        after: the state afterwards, but for its version, which the store raises by one.
        reset: whether all cells, shares and totals go first.
        cells: new cells; None where one goes.
        shares: new shares; None where one goes. Each is of a cell that is in `cells`.
        renewed: cells whose `updated_ms` is to be read anew from their shares, since a share went.
        totals: what is added to the daily totals; a row without events goes.
        records: new records.
        deleted: sequences of events to be deleted.
        settings: settings that are kept with it, in the place of others of their name.
    """

    before: int
    after: CellState
    reset: bool = False
    cells: Mapping[CellKey, StoredCell | None] = field(default_factory=dict)
    shares: Mapping[ShareKey, Share | None] = field(default_factory=dict)
    renewed: Sequence[CellKey] = ()
    totals: Mapping[TotalKey, Totals] = field(default_factory=dict)
    records: Mapping[RecordKey, bytes] = field(default_factory=dict)
    deleted: Sequence[int] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
