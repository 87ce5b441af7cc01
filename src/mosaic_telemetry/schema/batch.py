"""Submitting events (contract, section 3): the batch and the server's verdict on each of its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mosaic_telemetry.schema.event import TaskCompletionEvent
from mosaic_telemetry.schema.fields import Integer, ListOf, Nested, Optional, Text, meta
from mosaic_telemetry.schema.limits import MAX_BATCH_EVENTS

__all__ = ["BatchEventRequest", "BatchEventResponse", "BatchEventResult"]

_COUNT = Integer(0, 1_000_000_000)
_LONG = Text(100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEventRequest:
    """Body of `POST /v1/events/batch`: 1 to 100 events."""

    events: Sequence[TaskCompletionEvent] = field(metadata=meta(ListOf(Nested(TaskCompletionEvent), 1, MAX_BATCH_EVENTS), "the events"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEventResult:
    """Verdict on one event: `status` is "accepted" or "rejected"; `error` says why one was rejected."""

    event_id: str = field(metadata=meta(_LONG, "the event's id as it was sent; empty where it had none"))
    status: str = field(metadata=meta(Text(100), '"accepted" or "rejected"'))
    error: str | None = field(default=None, metadata=meta(Optional(_LONG), "why the event was rejected"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEventResponse:
    """Answer to a batch: one result per event, in the order of the request."""

    accepted: int = field(metadata=meta(_COUNT, "events accepted", unit="events"))
    rejected: int = field(metadata=meta(_COUNT, "events rejected", unit="events"))
    results: Sequence[BatchEventResult] = field(metadata=meta(ListOf(Nested(BatchEventResult)), "one per event, in request order"))
