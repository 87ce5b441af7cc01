"""`GET /v1/compare`, `GET /v1/budget` and `GET /v1/predictions/score`: public, as predictions are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine, FormError
from mosaic_telemetry.engine.advising import QUANTITIES, allowances, budget_as_json, comparison_as_json
from mosaic_telemetry.schema import Complexity, PredictionQuery, TaskType, ValidationError, from_dict

__all__ = ["MOST_MODELS", "budget", "compare", "score"]

MOST_MODELS = 100


async def compare(request: Request) -> Response:
    """Models on one kind of task by cost per success.

    Raises:
        FormError: a parameter is missing, or has not its form.
    """
    engine: Engine = request.app.state.engine
    task_type, complexity = _member(request, "task_type", TaskType), _member(request, "complexity", Complexity)
    models = request.query_params.getlist("model")
    if len(models) > MOST_MODELS or not all(1 <= len(model.strip()) <= MOST_MODELS for model in models):
        raise FormError(f"model: at most {MOST_MODELS} names of 1 to 100 characters")
    found = await run_in_threadpool(engine.compare, task_type, complexity, models, _amounts(request, "").get("budget_usd_micros", math.inf))
    return _json(comparison_as_json(task_type, complexity, found))


async def budget(request: Request) -> Response:
    """The chance that a task stays within limits, the budget that is kept in nine of ten, and what is still to come.

    Raises:
        FormError: a parameter is missing, or has not its form.
    """
    engine: Engine = request.app.state.engine
    try:
        query = from_dict(PredictionQuery, {name: value for name, value in request.query_params.items() if name in PredictionQuery.__dataclass_fields__})
    except ValidationError as error:
        raise FormError("; ".join(map(str, error.errors))) from error
    limits, spent = _amounts(request, ""), _amounts(request, "spent_")
    (answer,) = await run_in_threadpool(engine.predict, [query])
    return _json(budget_as_json(answer, allowances(answer.prediction, limits, spent) if answer.prediction else {}))


async def score(request: Request) -> Response:
    """How good past predictions were."""
    engine: Engine = request.app.state.engine
    return _json(await run_in_threadpool(engine.accuracy))


def _amounts(request: Request, prefix: str) -> dict[str, float]:
    """The amounts that are given of each quantity."""
    found = {}
    for name in (*QUANTITIES, *(["budget_usd_micros"] if not prefix else [])):
        text = request.query_params.get(prefix + name)
        if text is None:
            continue
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise FormError(f"{prefix}{name}: {text!r} is no number of 0 or more")
        found[name] = value
    return found


def _member(request: Request, name: str, enum: type[StrEnum]) -> str:
    text = request.query_params.get(name)
    if text not in list(enum):
        raise FormError(f"{name}: is missing" if text is None else f"{name}: {text!r} is none of {', '.join(enum)}")
    return str(text)


def _json(value: Mapping[str, object]) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
