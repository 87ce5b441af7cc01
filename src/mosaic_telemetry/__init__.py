"""Know what an AI coding task will cost, how long it takes and whether it succeeds, before it is run.

The names here are the SDK: what an application embeds to report its tasks and to read predictions.
"""

from typing import TYPE_CHECKING

from mosaic_telemetry._version import __version__
from mosaic_telemetry.client import (
    AnswerError,
    EventBuilder,
    EventDroppedError,
    EventQueue,
    EventRejectedError,
    HTTPStatusError,
    PredictionCache,
    ResolvedConfig,
    Stats,
    Task,
    TelemetryClient,
    TelemetryConfig,
    TelemetryError,
    TransportError,
    current_task,
    resolve_config,
)
from mosaic_telemetry.schema import (
    BatchEventRequest,
    BatchEventResponse,
    BatchEventResult,
    BatchPredictionRequest,
    BatchPredictionResponse,
    Complexity,
    CorrectionFactors,
    EventBuilderParams,
    FieldError,
    Harness,
    Outcome,
    PredictionData,
    PredictionMetadata,
    PredictionQuery,
    PredictionResponse,
    Provider,
    QualityGate,
    QualityPrediction,
    RepoSizeCategory,
    TaskCompletionEvent,
    TaskType,
    TokenDistribution,
    ValidationError,
)

if TYPE_CHECKING:
    from mosaic_telemetry.client.submitter import BatchSubmitter, SubmitResult

__all__ = [
    "AnswerError",
    "BatchEventRequest",
    "BatchEventResponse",
    "BatchEventResult",
    "BatchPredictionRequest",
    "BatchPredictionResponse",
    "BatchSubmitter",
    "Complexity",
    "CorrectionFactors",
    "EventBuilder",
    "EventBuilderParams",
    "EventDroppedError",
    "EventQueue",
    "EventRejectedError",
    "FieldError",
    "HTTPStatusError",
    "Harness",
    "Outcome",
    "PredictionCache",
    "PredictionData",
    "PredictionMetadata",
    "PredictionQuery",
    "PredictionResponse",
    "Provider",
    "QualityGate",
    "QualityPrediction",
    "RepoSizeCategory",
    "ResolvedConfig",
    "Stats",
    "SubmitResult",
    "Task",
    "TaskCompletionEvent",
    "TaskType",
    "TelemetryClient",
    "TelemetryConfig",
    "TelemetryError",
    "TokenDistribution",
    "TransportError",
    "ValidationError",
    "__version__",
    "current_task",
    "resolve_config",
]


def __getattr__(name: str) -> object:
    from mosaic_telemetry import client

    if name in __all__:
        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
