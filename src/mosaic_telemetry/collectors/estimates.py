"""Estimates of collected tasks: what was predicted of such a task before it began.

A harness writes down no estimate. What stands in for one is the median of the prediction for the task's kind, model and provider,
as it could have been asked for when the prompt was given. Law: a prediction whose newest event was counted after that is
hindsight and is not taken, so that no task is ever part of its own estimate; where there is no other, the estimates stay 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from mosaic_telemetry.collectors.events import Converted
from mosaic_telemetry.collectors.values import Task
from mosaic_telemetry.schema import MAX_COST_MICROS, MAX_TOKENS, PredictionQuery, PredictionResponse, TaskCompletionEvent

__all__ = ["Predict", "with_estimates"]

Predict = Callable[[Sequence[PredictionQuery]], Sequence[PredictionResponse]]
"""One answer per query, in their order."""


def with_estimates(tasks: Sequence[tuple[Task, Converted]], predict: Predict) -> list[tuple[Task, Converted]]:
    """The same tasks, with estimates in the events of those for which a prediction from before their start is known.

    Args:
        tasks: tasks and their events.
        predict: what is known now; asked once, for each kind of task that there is.
    """
    queries = {_query(converted.event): None for _, converted in tasks}
    answers = dict(zip(queries, predict(list(queries)), strict=True)) if queries else {}
    return [(task, _estimated(task, converted, answers[_query(converted.event)])) for task, converted in tasks]


def _query(event: TaskCompletionEvent) -> PredictionQuery:
    return PredictionQuery(task_type=event.task_type, model=event.model, provider=event.provider, complexity=event.complexity)


def _estimated(task: Task, converted: Converted, answer: PredictionResponse) -> Converted:
    known, about = answer.prediction, answer.metadata
    if known is None or about.last_updated is None or _moment_ms(about.last_updated) > task.started_ms:
        return converted
    event = replace(
        converted.event,
        estimated_input_tokens=_whole(known.input_tokens.median, MAX_TOKENS),
        estimated_output_tokens=_whole(known.output_tokens.median, MAX_TOKENS),
        estimated_cost_usd_micros=_whole(known.cost_usd_micros.get("median", 0), MAX_COST_MICROS),
    )
    told = f"median of the prediction from {about.last_updated}, before the task began: {about.sample_size} tasks, confidence {about.confidence}"
    return replace(converted, event=event, estimated=told)


def _moment_ms(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp() * 1000


def _whole(value: float, most: int) -> int:
    return max(0, min(most, round(value)))
