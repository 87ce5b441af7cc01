"""Whether predictions keep what they promise: how often the truth lay between p10 and p90, by target, sample size and month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.figures import TARGETS
from mosaic_telemetry.server.dashboard.drawing import WIDTH
from mosaic_telemetry.server.dashboard.rendering import page

__all__ = ["accuracy"]

_HEIGHT = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 12, 28
_MOST = 5  # labels below a drawing
_LOWEST = 0.5  # shares below are drawn at the bottom


@dataclass(frozen=True, slots=True)
class Point:
    """A group of forecasts in a drawing: where it stands, and what it says."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Target:
    """What was forecast.

    Attributes:
        name: for a person.
        figures: over all forecasts.
        by_size: drawn against the class of sample size.
        by_month: drawn against time.
        sizes: figures by class of sample size.
    """

    name: str
    figures: Mapping[str, Any]
    by_size: list[Point]
    by_month: list[Point]
    sizes: Mapping[str, Mapping[str, Any]]


def accuracy(request: Request) -> Response:
    """The record of past forecasts."""
    engine: Engine = request.app.state.engine
    found = engine.accuracy()
    targets = [
        Target(TARGETS[name].capitalize(), figures, _points(figures["by_sample_size"]), _points(figures["by_month"]), figures["by_sample_size"])
        for name, figures in found["targets"].items()
        if figures["forecasts"]
    ]
    promised = found["promised_coverage"]
    values = {
        "targets": targets,
        "promised": promised,
        "width": WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
        "right": WIDTH - _RIGHT,
        "lines": [(share, _place(share)) for share in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)],
        "promised_place": _place(promised),
    }
    return page(request, "accuracy.html", values)


def _points(groups: Mapping[str, Mapping[str, Any]]) -> list[Point]:
    known = [(name, figures["coverage"]) for name, figures in groups.items() if figures["coverage"] is not None]
    step = (WIDTH - _LEFT - _RIGHT) / max(len(known), 1)
    every = -(-len(known) // _MOST)  # so many labels have room beside each other; the last one is always there
    return [
        Point(round(_LEFT + step * (place + 0.5), 1), _place(coverage), name if (len(known) - 1 - place) % every == 0 else "")
        for place, (name, coverage) in enumerate(known)
    ]


def _place(share: float) -> float:
    """How far down a coverage stands."""
    inside = max(min(share, 1.0), _LOWEST)
    return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - inside) / (1 - _LOWEST), 1)
