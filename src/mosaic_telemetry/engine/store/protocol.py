"""What the engine asks of a store, and the values that pass between them.

Two laws bind every store:

1. When the future of `insert` resolves, the events that it calls new are durable; an id is called new once, ever.
2. Each durable event is counted into its cells exactly once, whatever is killed when.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from mosaic_telemetry.forecast import Cell, CellKey

__all__ = ["EventFields", "Instance", "Store", "StoredCell", "StoredEvent"]


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
    """

    event_id: bytes
    timestamp_ms: int
    fields: EventFields


@dataclass(frozen=True, slots=True)
class Instance:
    """An installation that reports events.

    Attributes:
        number: the store's own name for it.
        instance_id: its public id.
        name: what the administrator calls it; may be empty.
        created_ms: when it was created, in milliseconds since 1970.
        keys: API keys that work.
        local: whether it is the one that commands use which work on the database itself.
    """

    number: int
    instance_id: UUID
    name: str
    created_ms: int
    keys: int = 0
    local: bool = False


@dataclass(frozen=True, slots=True)
class StoredCell:
    """A cell over the window, and when an event was last counted into it (milliseconds since 1970)."""

    cell: Cell
    updated_ms: int


class Store(Protocol):
    """Keeps events, cells, instances and keys. Every method may be called from any thread, and raises `DatabaseError`."""

    def insert(self, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> Future[list[bool]]:
        """Keep events; resolves when they are durable, with whether each was new. Never blocks."""

    def roll_up(self) -> Future[int]:
        """Count all events that are durable now into their cells at once; resolves with how many there were."""

    def find_cell(self, key: CellKey, at_least: int = 1) -> StoredCell | None:
        """The cell of this name, if it has counted so many events."""

    def instance_by_key(self, digest: bytes) -> Instance | None:
        """Whose key has this SHA-256, if it works."""

    def instances(self) -> list[Instance]:
        """All instances, oldest first."""

    def create_instance(self, instance_id: UUID, name: str, digest: bytes | None, now_ms: int, *, local: bool = False) -> Future[Instance]:
        """Add an instance, with a key unless `digest` is None. A second local one is not added: resolves with the first."""

    def replace_keys(self, instance_id: UUID, digest: bytes | None, now_ms: int) -> Future[int]:
        """Revoke the instance's keys and add a new one unless `digest` is None; resolves with how many were revoked.

        The future raises `UnknownInstanceError`.
        """

    def check(self) -> None:
        """Raise `DatabaseError` if the store cannot answer."""

    def close(self) -> None:
        """Finish what was handed over, then let go of everything. May be called twice."""
