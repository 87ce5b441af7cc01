"""The contract as types: enums, events, predictions and batches, with their bounds, validation and JSON form.

Standard library only, and nothing else of ours: every other room builds on this one.
"""

from typing import TYPE_CHECKING

from mosaic_telemetry.schema.codec import decode, encode, encode_event, to_dict
from mosaic_telemetry.schema.enums import Complexity, Harness, Outcome, Provider, QualityGate, RepoSizeCategory, TaskType
from mosaic_telemetry.schema.errors import FieldError, ValidationError
from mosaic_telemetry.schema.event import (
    MAX_COST_MICROS,
    MAX_DURATION_MS,
    MAX_TOKENS,
    SCHEMA_VERSION,
    EventBuilderParams,
    TaskCompletionEvent,
)
from mosaic_telemetry.schema.fields import from_dict
from mosaic_telemetry.schema.limits import ACCEPTED, MAX_BATCH_EVENTS, MAX_BATCH_QUERIES, REJECTED

if TYPE_CHECKING:
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
    "ACCEPTED",
    "MAX_BATCH_EVENTS",
    "MAX_BATCH_QUERIES",
    "MAX_COST_MICROS",
    "MAX_DURATION_MS",
    "MAX_TOKENS",
    "REJECTED",
    "SCHEMA_VERSION",
    "BatchEventRequest",
    "BatchEventResponse",
    "BatchEventResult",
    "BatchPredictionRequest",
    "BatchPredictionResponse",
    "Complexity",
    "CorrectionFactors",
    "EventBuilderParams",
    "FieldError",
    "Harness",
    "Outcome",
    "PredictionData",
    "PredictionMetadata",
    "PredictionPrior",
    "PredictionQuery",
    "PredictionResponse",
    "Provider",
    "QualityGate",
    "QualityPrediction",
    "RepoSizeCategory",
    "TaskCompletionEvent",
    "TaskType",
    "TokenDistribution",
    "ValidationError",
    "decode",
    "encode",
    "encode_event",
    "from_dict",
    "to_dict",
]


def __getattr__(name: str) -> object:
    # What only a sender and a reader of predictions need is imported when it is first asked for: it is a third of the
    # import of the SDK.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.startswith("BatchEvent"):
        from mosaic_telemetry.schema import batch

        module: object = batch
    else:
        from mosaic_telemetry.schema import prediction

        module = prediction
    value = globals()[name] = getattr(module, name)
    return value
