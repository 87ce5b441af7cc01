"""The part of the OpenAPI document on comparing, budgets, accuracy and erasure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mosaic_telemetry.engine.advising import QUANTITIES
from mosaic_telemetry.forecast import QUANTILES

__all__ = ["advice_paths"]

Schema = dict[str, Any]

_INTEGER: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number", "minimum": 0}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_UNITS = {"cost_usd_micros": "micro-dollars", "input_tokens": "tokens", "output_tokens": "tokens", "duration_ms": "milliseconds"}


def advice_paths(query_parameters: Sequence[Schema], errors: Callable[..., Schema]) -> Schema:
    """The paths.

    Args:
        query_parameters: those that name the four dimensions of a task.
        errors: the answers of some statuses.
    """
    return {
        "/v1/compare": {"get": _compare(query_parameters, errors)},
        "/v1/budget": {"get": _budget(query_parameters, errors)},
        "/v1/predictions/score": {"get": _score(errors)},
        "/v1/instances/{instance_id}/events": {"delete": _erase(errors)},
    }


def _compare(query_parameters: Sequence[Schema], errors: Callable[..., Schema]) -> Schema:
    model = _object(
        {
            "model": {"type": "string"},
            "sample_size": _INTEGER,
            "enough_data": {"type": "boolean", "description": "false: fewer than five tasks, nothing is said"},
            "cost_per_success_usd_micros": _or_null(_object({"value": _or_null(_INTEGER), "low": _INTEGER, "high": _or_null(_INTEGER)})),
            "success_rate": _or_null(_object({"value": _SHARE, "low": _SHARE, "high": _SHARE})),
            "duration_ms": _or_null(_INTEGER),
            "cost_usd_micros": _or_null(_INTEGER),
        }
    )
    parameters = [
        *[parameter for parameter in query_parameters if parameter["name"] in {"task_type", "complexity"}],
        _parameter(
            "model",
            "a model to compare; may be given several times; by default all that were reported for such tasks",
            {"type": "string", "minLength": 1, "maxLength": 100},
        ),
        _parameter("budget_usd_micros", "what a typical task may cost, in micro-dollars; models above are left out", _NUMBER),
    ]
    answer = _object({"task_type": {"type": "string"}, "complexity": {"type": "string"}, "models": {"type": "array", "items": model}})
    return {
        "operationId": "compareModels",
        "tags": ["predictions"],
        "summary": "Compare models on one kind of task by what a success costs",
        "description": "From the cheapest per success to the dearest, from whatever provider; those that are not known well enough come last. Intervals hold "
        "the truth four times in five. `duration_ms` and `cost_usd_micros` are medians of a task.",
        "parameters": parameters,
        "responses": {"200": _json("The models.", answer), **errors(422, 429, 500, 503)},
    }


def _budget(query_parameters: Sequence[Schema], errors: Callable[..., Schema]) -> Schema:
    quantity = _object(
        {
            "kept_in_9_of_10": {**_INTEGER, "description": "the amount in all that nine tasks in ten stay within"},
            "limit": _or_null(_NUMBER),
            "chance": _or_null({**_SHARE, "description": "that a task stays within the limit, given what is spent"}),
            "spent": _or_null(_NUMBER),
            "still_to_come": _or_null(_object(dict.fromkeys(QUANTILES, _INTEGER))),
        }
    )
    limits = [_parameter(name, f"a limit, in {_UNITS[name]}", _NUMBER) for name in QUANTITIES]
    spent = [_parameter(f"spent_{name}", f"what the task has already taken, in {_UNITS[name]}", _NUMBER) for name in QUANTITIES]
    metadata = {"$ref": "#/components/schemas/PredictionMetadata"}
    answer = _object({"quantities": {"type": "object", "additionalProperties": quantity}, "metadata": metadata})
    return {
        "operationId": "askBudget",
        "tags": ["predictions"],
        "summary": "The chance that a task stays within a budget, and what is still to come",
        "description": "A quantity of which nothing is known is left out. Beyond p10 and p90 the answers are extrapolated.",
        "parameters": [*query_parameters, *limits, *spent],
        "responses": {"200": _json("By quantity.", answer), **errors(422, 429, 500, 503)},
    }


def _score(errors: Callable[..., Schema]) -> Schema:
    number = {"type": ["number", "null"]}
    figures = {**dict.fromkeys(("forecasts", "below", "above"), _INTEGER), **dict.fromkeys(("coverage", "pinball", "factor_error", "sharpness"), number)}
    texts = {name: {"type": "string"} for name in ("target", "sample_size", "month")}
    groups = {name: {"type": "object", "additionalProperties": _object(figures)} for name in ("by_level", "by_sample_size", "by_month")}
    answer = _object(
        {
            "promised_coverage": _SHARE,
            "targets": {"type": "object", "additionalProperties": _object({**figures, **groups})},
            "records": {"type": "array", "items": _object({**texts, "level": _INTEGER, **figures})},
        }
    )
    return {
        "operationId": "predictionScore",
        "tags": ["predictions"],
        "summary": "How good past predictions were",
        "description": "Each event is held against the forecast for its dimensions as it stood before the event was counted.",
        "responses": {"200": _json("Scores by target, level, sample size and month.", answer), **errors(429, 500, 503)},
    }


def _erase(errors: Callable[..., Schema]) -> Schema:
    return {
        "operationId": "eraseEvents",
        "tags": ["events"],
        "summary": "Erase what an instance reported",
        "description": "Its events, and its share of every prediction, exactly. With the key of the instance, or the admin key.",
        "security": [{"apiKey": []}],
        "parameters": [{"name": "instance_id", "in": "path", "required": True, "description": "the instance", "schema": {"type": "string", "format": "uuid"}}],
        "responses": {
            "200": _json("What was erased.", _object({"instance_id": {"type": "string", "format": "uuid"}, "erased": _INTEGER})),
            **errors(401, 429, 500, 503),
            "403": _error("The key belongs to another instance."),
            "404": _error("There is no such instance."),
        },
    }


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _parameter(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(description: str) -> Schema:
    return _json(description, {"$ref": "#/components/schemas/Error"})
