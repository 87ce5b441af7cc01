"""What an application embeds to report its tasks. Standard library only."""

from typing import TYPE_CHECKING

from mosaic_telemetry.client.builder import EventBuilder
from mosaic_telemetry.client.cache import PredictionCache
from mosaic_telemetry.client.client import TelemetryClient
from mosaic_telemetry.client.config import ResolvedConfig, TelemetryConfig, resolve_config
from mosaic_telemetry.client.errors import AnswerError, EventDroppedError, EventRejectedError, HTTPStatusError, TelemetryError, TransportError
from mosaic_telemetry.client.queue import EventQueue
from mosaic_telemetry.client.stats import Stats
from mosaic_telemetry.client.tasks import Task, current_task

if TYPE_CHECKING:
    from mosaic_telemetry.client.submitter import BatchSubmitter, SubmitResult

__all__ = [
    "AnswerError",
    "BatchSubmitter",
    "EventBuilder",
    "EventDroppedError",
    "EventQueue",
    "EventRejectedError",
    "HTTPStatusError",
    "PredictionCache",
    "ResolvedConfig",
    "Stats",
    "SubmitResult",
    "Task",
    "TelemetryClient",
    "TelemetryConfig",
    "TelemetryError",
    "TransportError",
    "current_task",
    "resolve_config",
]

_SENDER = frozenset({"BatchSubmitter", "SubmitResult"})


def __getattr__(name: str) -> object:
    # These bring http.client, which is most of an import's time and needed only by who sends by hand.
    if name in _SENDER:
        from mosaic_telemetry.client import submitter

        return getattr(submitter, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
