"""What all requests of an application share."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.server.metrics import Metrics
from mosaic_telemetry.server.settings import Settings
from mosaic_telemetry.server.tracing import Tracing, Untraced

__all__ = ["State", "state_of"]


@dataclass(frozen=True, slots=True)
class State:
    """What all requests of an application share.

    Attributes:
        engine: does the work.
        settings: how the operator wants it done.
        metrics: where it is counted; None for nowhere.
        tracing: makes spans of it.
    """

    engine: Engine
    settings: Settings
    metrics: Metrics | None
    tracing: Tracing = field(default_factory=Untraced)


def state_of(request: Request) -> State:
    """The state of the application that a request came to."""
    state: State = request.app.state.shared
    return state
