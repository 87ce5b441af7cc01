"""The HTTP face of the engine, as an ASGI application."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.engine.observing import Observers
from mosaic_telemetry.server.admin import ROUTES as ADMIN
from mosaic_telemetry.server.advice import budget, compare, score
from mosaic_telemetry.server.answers import Answers
from mosaic_telemetry.server.bodies import Readers
from mosaic_telemetry.server.dashboard import ROUTES as DASHBOARD
from mosaic_telemetry.server.docs import ROUTES as DOCS
from mosaic_telemetry.server.erasure import erase_events
from mosaic_telemetry.server.errors import HANDLERS
from mosaic_telemetry.server.events import submit_events
from mosaic_telemetry.server.health import healthz, readyz
from mosaic_telemetry.server.health import metrics as tell_metrics
from mosaic_telemetry.server.limiting import AddressLimit
from mosaic_telemetry.server.manners import Manners
from mosaic_telemetry.server.metrics import Metrics
from mosaic_telemetry.server.packing import Packing
from mosaic_telemetry.server.predictions import predict_batch, predict_one
from mosaic_telemetry.server.settings import Settings
from mosaic_telemetry.server.state import State
from mosaic_telemetry.server.totals import daily_totals
from mosaic_telemetry.server.tracing import Tracing, Untraced

__all__ = ["ROUTES", "create_app"]


ROUTES = [
    Route("/v1/events/batch", submit_events, methods=["POST"]),
    Route("/v1/predictions/batch", predict_batch, methods=["POST"]),
    Route("/v1/predictions", predict_one, methods=["GET"]),
    Route("/v1/predictions/score", score, methods=["GET"]),
    Route("/v1/compare", compare, methods=["GET"]),
    Route("/v1/budget", budget, methods=["GET"]),
    Route("/v1/instances/{instance_id}/events", erase_events, methods=["DELETE"]),
    Route("/v1/totals", daily_totals, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/metrics", tell_metrics, methods=["GET"]),
    *ADMIN,
    *DOCS,
    *DASHBOARD,
]


def create_app(
    engine: Engine, settings: Settings | None = None, extend: Callable[[Starlette], object] | None = None, tracing: Tracing | None = None
) -> ASGIApp:
    """The application on an engine.

    Args:
        engine: does the work; it stays the caller's to close.
        settings: how the operator wants it done.
        extend: called with the routed application, to add routes to it, before that is wrapped into what all answers have in common.
        tracing: makes spans of requests, predictions and commits; it stays the caller's to close.
    """
    settings, tracing = settings or Settings(), tracing or Untraced()
    metrics = Metrics() if settings.metrics else None
    app = Starlette(routes=ROUTES, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    app.state.engine = engine
    app.state.readers = Readers()
    app.state.answers = Answers(tracing.around("predict", engine.predict))
    app.state.shared = State(engine, settings, metrics, tracing)
    observers = [observer for observer in (metrics, tracing if tracing.is_on else None) if observer]
    if observers:
        engine.observe(observers[0] if len(observers) == 1 else Observers(observers))
    if extend:
        extend(app)
    outer: ASGIApp = Manners(tracing.requests(Packing(AddressLimit(app, engine, settings, metrics))), app, settings, metrics)
    # Outermost, so that all of the above sees the client's address instead of the proxy's.
    return ProxyHeadersMiddleware(outer, settings.proxies) if settings.proxies else outer  # type: ignore[arg-type, return-value]  # uvicorn names the same types anew
