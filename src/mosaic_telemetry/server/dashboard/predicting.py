"""The page that answers as `mosaic-telemetry predict` does, with the distributions drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry import figures
from mosaic_telemetry.engine import Engine
from mosaic_telemetry.schema import Complexity, PredictionData, PredictionQuery, Provider, TaskType, ValidationError, from_dict, to_dict
from mosaic_telemetry.server.dashboard.drawing import Axis, Fan, axis_of, fan
from mosaic_telemetry.server.dashboard.rendering import page

__all__ = ["predict"]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is predicted.

    Attributes:
        name: what.
        quantiles: p10, p25, median, p75 and p90, as far as they are known.
        text: how an amount is written.
        axis: of the drawing.
        fan: the drawing; None where there is none.
    """

    name: str
    quantiles: Mapping[str, float]
    text: Callable[[float], str]
    axis: Axis | None
    fan: Fan | None


def predict(request: Request) -> Response:
    """A form, and its answer once it says what is asked."""
    engine: Engine = request.app.state.engine
    given = {name: value for name, value in request.query_params.items() if value}
    values: dict[str, Any] = {
        "given": given,
        "choices": {"task_type": list(TaskType), "provider": list(Provider), "complexity": list(Complexity)},
        "error": None,
        "answer": None,
        "rows": [],
    }
    if given:
        try:
            query = from_dict(PredictionQuery, {"complexity": "medium", "provider": "unknown"} | given)
        except ValidationError as error:
            return page(request, "predict.html", values | {"error": "; ".join(map(str, error.errors))}, 422)
        answer = engine.predict([query])[0]
        values |= {"answer": answer, "rows": _rows(answer.prediction) if answer.prediction else []}
    return page(request, "predict.html", values)


def _rows(data: PredictionData) -> list[Row]:
    return [
        _row("Cost", dict(data.cost_usd_micros), figures.cost),
        _row("Time", dict(data.duration_ms), figures.duration),
        _row("Input tokens", to_dict(data.input_tokens), figures.count),
        _row("Output tokens", to_dict(data.output_tokens), figures.count),
    ]


def _row(name: str, quantiles: Mapping[str, float], text: Callable[[float], str]) -> Row:
    axis = axis_of(list(quantiles.values()), times=text is figures.duration)
    return Row(name, quantiles, text, axis, fan(quantiles, axis) if axis else None)
