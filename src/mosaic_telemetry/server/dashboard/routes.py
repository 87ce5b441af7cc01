"""Where the pages are."""

from starlette.routing import Route

from mosaic_telemetry.server.dashboard.accuracy import accuracy
from mosaic_telemetry.server.dashboard.activity import activity
from mosaic_telemetry.server.dashboard.files import file
from mosaic_telemetry.server.dashboard.instances import ACTS, act, instances, sign_in, sign_out
from mosaic_telemetry.server.dashboard.models import models
from mosaic_telemetry.server.dashboard.overview import overview
from mosaic_telemetry.server.dashboard.predicting import predict

__all__ = ["ROUTES"]

ROUTES = [
    Route("/", overview, methods=["GET"]),
    Route("/models", models, methods=["GET"]),
    Route("/accuracy", accuracy, methods=["GET"]),
    Route("/predict", predict, methods=["GET"]),
    Route("/activity", activity, methods=["GET"]),
    Route("/instances", instances, methods=["GET"]),
    Route("/instances/sign-in", sign_in, methods=["POST"]),
    Route("/instances/sign-out", sign_out, methods=["POST"]),
    *[Route(f"/instances/{name}", act, methods=["POST"]) for name in ACTS],
    Route("/static/{name}", file, methods=["GET"]),
]
