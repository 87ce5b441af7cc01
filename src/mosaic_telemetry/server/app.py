"""The HTTP face of the engine, as an ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.server.advice import budget, compare, score
from mosaic_telemetry.server.answers import Answers
from mosaic_telemetry.server.bodies import Readers
from mosaic_telemetry.server.dashboard import ROUTES as DASHBOARD
from mosaic_telemetry.server.docs import ROUTES as DOCS
from mosaic_telemetry.server.erasure import erase_events
from mosaic_telemetry.server.errors import HANDLERS
from mosaic_telemetry.server.events import submit_events
from mosaic_telemetry.server.health import healthz, readyz
from mosaic_telemetry.server.predictions import predict_batch, predict_one
from mosaic_telemetry.server.totals import daily_totals

__all__ = ["create_app"]


def create_app(engine: Engine) -> Starlette:
    """The application on an engine, which stays the caller's to close."""
    routes = [
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
        *DOCS,
        *DASHBOARD,
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    app.state.engine = engine
    app.state.readers = Readers()
    app.state.answers = Answers(engine.predict)
    return app
