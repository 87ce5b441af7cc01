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
    Complexity,
    EventBuilderParams,
    FieldError,
    Harness,
    Outcome,
    Provider,
    QualityGate,
    RepoSizeCategory,
    TaskCompletionEvent,
    TaskType,
    ValidationError,
)

if TYPE_CHECKING:
    from mosaic_telemetry.client.submitter import BatchSubmitter, SubmitResult
    from mosaic_telemetry.schema.batch import BatchEventRequest, BatchEventResponse, BatchEventResult
    from mosaic_telemetry.schema.prediction import (
        BatchPredictionRequest,
        BatchPredictionResponse,
        CorrectionFactors,
        PredictionData,
        PredictionMetadata,
        PredictionPrior,
        PredictionQuery,
        PredictionResponse,
        QualityPrediction,
        TokenDistribution,
    )

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
    "PredictionPrior",
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
    # The rest of the names is imported when it is first asked for: who only reports needs neither http.client nor predictions.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mosaic_telemetry import client, schema

    value = globals()[name] = getattr(client if name in client.__all__ else schema, name)
    return value
