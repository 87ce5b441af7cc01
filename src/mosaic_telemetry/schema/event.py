"""The event of the contract (section 1): how one finished task of an AI coding harness went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from mosaic_telemetry.schema.enums import Complexity, Harness, Outcome, Provider, QualityGate, RepoSizeCategory, TaskType
from mosaic_telemetry.schema.fields import Choice, Choices, Constant, Flag, Integer, Number, Optional, Text, Timestamp, UuidText, meta
from mosaic_telemetry.schema.record import field, record

__all__ = ["MAX_COST_MICROS", "MAX_DURATION_MS", "MAX_TOKENS", "SCHEMA_VERSION", "EventBuilderParams", "TaskCompletionEvent"]

SCHEMA_VERSION = "1.0"
MAX_DURATION_MS = 86_400_000
MAX_TOKENS = 10_000_000
MAX_COST_MICROS = 100_000_000

_TOKENS = Integer(0, MAX_TOKENS)
_COST = Integer(0, MAX_COST_MICROS)


@record(kw_only=True)
class TaskCompletionEvent:
    """One finished task. Immutable; each field's kind, unit and meaning stand in its metadata.

    Made by `EventBuilder.build`, which validates and fills in the four fields marked *auto*. A direct call checks nothing:
    `from_dict(TaskCompletionEvent, mapping)` validates all of it. No slots, on purpose: the instance's dictionary is its
    JSON form, which saves a copy for every event reported.
    """

    instance_id: str = field(metadata=meta(UuidText(), "which installation reports; the one that the API key belongs to", auto=True))
    event_id: str = field(metadata=meta(UuidText(), "identity of the event: the server de-duplicates on it", auto=True))
    schema_version: str = field(default=SCHEMA_VERSION, metadata=meta(Constant(SCHEMA_VERSION), "version of this schema", auto=True))
    timestamp: str = field(metadata=meta(Timestamp(), "when the task ended", auto=True))
    task_duration_ms: int = field(metadata=meta(Integer(0, MAX_DURATION_MS), "wall-clock time of the task", unit="milliseconds"))
    task_type: TaskType = field(metadata=meta(Choice(TaskType), "kind of work"))
    complexity: Complexity = field(metadata=meta(Choice(Complexity), "size of the task"))
    harness: Harness = field(metadata=meta(Choice(Harness), "the tool that ran the task"))
    model: str = field(metadata=meta(Text(100, shortest=1), "model identifier"))
    provider: Provider = field(metadata=meta(Choice(Provider), "who served the model"))
    estimated_input_tokens: int = field(metadata=meta(_TOKENS, "estimate made before the task; 0 where none was made", unit="tokens"))
    estimated_output_tokens: int = field(metadata=meta(_TOKENS, "estimate made before the task; 0 where none was made", unit="tokens"))
    actual_input_tokens: int = field(metadata=meta(_TOKENS, "all input that the model read: uncached, cache reads and cache writes", unit="tokens"))
    actual_output_tokens: int = field(metadata=meta(_TOKENS, "all output that the model wrote, reasoning included", unit="tokens"))
    estimated_cost_usd_micros: int = field(metadata=meta(_COST, "estimate made before the task; 0 where none was made", unit="micro-dollars"))
    actual_cost_usd_micros: int = field(
        metadata=meta(_COST, "what the task cost; 0 with tokens above 0 means unknown, unless ollama served", unit="micro-dollars")
    )
    quality_gate_passed: bool = field(metadata=meta(Flag(), "whether all gates that ran passed"))
    quality_gates_run: Sequence[QualityGate] = field(metadata=meta(Choices(QualityGate), "gates that ran"))
    quality_gates_failed: Sequence[QualityGate] = field(metadata=meta(Choices(QualityGate), "gates that failed"))
    context_compactions: int = field(metadata=meta(Integer(0, 100), "times that the context was compacted", unit="times"))
    context_rotations: int = field(metadata=meta(Integer(0, 50), "times that a fresh context took over", unit="times"))
    context_utilization_final: float = field(metadata=meta(Number(0.0, 1.0), "share of the context window in use at the end", unit="share"))
    outcome: Outcome = field(metadata=meta(Choice(Outcome), "how the task ended"))
    retry_count: int = field(metadata=meta(Integer(0, 20), "retries of the task", unit="times"))
    language: str | None = field(default=None, metadata=meta(Optional(Text(30)), "main programming language"))
    repo_size_category: RepoSizeCategory | None = field(default=None, metadata=meta(Optional(Choice(RepoSizeCategory)), "size of the repository"))

    def __post_init__(self) -> None:
        # A list handed in could still be changed by its owner after the event was reported.
        for name in ("quality_gates_run", "quality_gates_failed"):
            if isinstance(gates := self.__dict__[name], list):
                self.__dict__[name] = tuple(gates)


class EventBuilderParams(TypedDict):
    """What a caller says of a task: the fields of `TaskCompletionEvent` but the four that are filled in automatically.

    Enums may be given as members or as their text; units and bounds are those of the event's fields.
    """

    task_duration_ms: int
    task_type: TaskType | str
    complexity: Complexity | str
    harness: Harness | str
    model: str
    provider: Provider | str
    estimated_input_tokens: int
    estimated_output_tokens: int
    actual_input_tokens: int
    actual_output_tokens: int
    estimated_cost_usd_micros: int
    actual_cost_usd_micros: int
    quality_gate_passed: bool
    quality_gates_run: Sequence[QualityGate | str]
    quality_gates_failed: Sequence[QualityGate | str]
    context_compactions: int
    context_rotations: int
    context_utilization_final: float
    outcome: Outcome | str
    retry_count: int
    language: NotRequired[str | None]
    repo_size_category: NotRequired[RepoSizeCategory | str | None]
