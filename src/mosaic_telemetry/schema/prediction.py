"""Predictions (contract, section 4): what a task of some kind will probably cost, how long it takes, whether it succeeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mosaic_telemetry.schema.enums import Complexity, Provider, TaskType
from mosaic_telemetry.schema.fields import Choice, Flag, Integer, ListOf, Nested, Number, NumberMap, Optional, Text, TextMap, meta
from mosaic_telemetry.schema.limits import MAX_BATCH_QUERIES

__all__ = [
    "BatchPredictionRequest",
    "BatchPredictionResponse",
    "CorrectionFactors",
    "PredictionData",
    "PredictionMetadata",
    "PredictionPrior",
    "PredictionQuery",
    "PredictionResponse",
    "QualityPrediction",
    "TokenDistribution",
]

_AMOUNT = Number(0.0)
_SHARE = Number(0.0, 1.0)
_SENTENCE = Optional(Text(100_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionQuery:
    """The four dimensions of a task that a prediction is asked for."""

    task_type: TaskType = field(metadata=meta(Choice(TaskType), "kind of work"))
    model: str = field(metadata=meta(Text(100, shortest=1), "model identifier"))
    provider: Provider = field(metadata=meta(Choice(Provider), "who serves the model"))
    complexity: Complexity = field(metadata=meta(Choice(Complexity), "size of the task"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDistribution:
    """Quantiles of the tokens that such tasks really used."""

    p10: float = field(metadata=meta(_AMOUNT, "one task in ten used less", unit="tokens"))
    p25: float = field(metadata=meta(_AMOUNT, "one task in four used less", unit="tokens"))
    median: float = field(metadata=meta(_AMOUNT, "half of the tasks used less", unit="tokens"))
    p75: float = field(metadata=meta(_AMOUNT, "one task in four used more", unit="tokens"))
    p90: float = field(metadata=meta(_AMOUNT, "one task in ten used more", unit="tokens"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionFactors:
    """Median of actual over estimated tokens: above 1.0, estimates run low."""

    input: float = field(metadata=meta(_AMOUNT, "actual over estimated input tokens", unit="ratio"))
    output: float = field(metadata=meta(_AMOUNT, "actual over estimated output tokens", unit="ratio"))


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPrediction:
    """Shares of such tasks that went well."""

    gate_pass_rate: float = field(metadata=meta(_SHARE, "tasks whose quality gates all passed", unit="share"))
    success_rate: float = field(metadata=meta(_SHARE, "tasks whose outcome was success", unit="share"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionData:
    """The numbers of a prediction. The two maps are open: `median` stands in them, and more quantiles may."""

    input_tokens: TokenDistribution = field(metadata=meta(Nested(TokenDistribution), "input tokens", unit="tokens"))
    output_tokens: TokenDistribution = field(metadata=meta(Nested(TokenDistribution), "output tokens", unit="tokens"))
    cost_usd_micros: Mapping[str, float] = field(metadata=meta(NumberMap(), "cost; empty where no price is known", unit="micro-dollars"))
    duration_ms: Mapping[str, float] = field(metadata=meta(NumberMap(), "time that the task takes", unit="milliseconds"))
    correction_factors: CorrectionFactors = field(metadata=meta(Nested(CorrectionFactors), "how far estimates were off", unit="ratio"))
    quality: QualityPrediction = field(metadata=meta(Nested(QualityPrediction), "how well such tasks went", unit="share"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionPrior:
    """Somebody else's data that a prediction began with. The other fields of the metadata speak of the server's own events alone."""

    source: str = field(metadata=meta(Text(200), "who gave the data"))
    sample_size: int = field(metadata=meta(Integer(0, 2**53), "their events behind their numbers", unit="events"))
    fallback_level: int = field(metadata=meta(Integer(0, 100), "the level at which their data answer"))
    last_updated: str | None = field(default=None, metadata=meta(_SENTENCE, "when the newest of their events was counted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionMetadata:
    """How far a prediction is to be trusted."""

    sample_size: int = field(metadata=meta(Integer(0, 2**53), "events behind the numbers", unit="events"))
    fallback_level: int = field(metadata=meta(Integer(-1, 100), "0: exact match; 1 and up: steps of dropping dimensions; -1: no data"))
    confidence: str = field(metadata=meta(Text(100), '"none", "low", "medium" or "high"'))
    last_updated: str | None = field(default=None, metadata=meta(_SENTENCE, "when the newest event behind the numbers was counted"))
    dimensions_matched: Mapping[str, str | None] | None = field(
        default=None, metadata=meta(Optional(TextMap()), "dimension to value, null where it was dropped")
    )
    fallback_note: str | None = field(default=None, metadata=meta(_SENTENCE, "what the fallback means, as a sentence"))
    cache_hit: bool = field(default=False, metadata=meta(Flag(), "whether the server answered from its cache"))
    contributors: int | None = field(default=None, metadata=meta(Optional(Integer(0, 2**53)), "instances whose events are behind the numbers"))
    window: Mapping[str, float] | None = field(
        default=None,
        metadata=meta(
            Optional(NumberMap()),
            "`days` for which events count, `half_life_days` in which they lose half their weight, "
            "and `recent_days` where what is recent differs so much that it answers alone",
        ),
    )
    calibration: Mapping[str, float] | None = field(
        default=None, metadata=meta(Optional(NumberMap()), "`forecasts` from samples of this size that were held against what came, and correct this one")
    )
    prior: PredictionPrior | None = field(
        default=None, metadata=meta(Optional(Nested(PredictionPrior)), "somebody else's data that the numbers began with, beside the events above")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionResponse:
    """Answer to one query; `prediction` is None where there is no data."""

    prediction: PredictionData | None = field(metadata=meta(Optional(Nested(PredictionData)), "the numbers, or null without data"))
    metadata: PredictionMetadata = field(metadata=meta(Nested(PredictionMetadata), "how far they are to be trusted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPredictionRequest:
    """Body of `POST /v1/predictions/batch`: 1 to 50 queries."""

    queries: Sequence[PredictionQuery] = field(metadata=meta(ListOf(Nested(PredictionQuery), 1, MAX_BATCH_QUERIES), "the queries"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPredictionResponse:
    """Answer to a batch of queries: one per query, in the order of the request."""

    results: Sequence[PredictionResponse] = field(metadata=meta(ListOf(Nested(PredictionResponse)), "one per query, in request order"))
