"""Where the pages are."""

from starlette.routing import Route

from mosaic_telemetry.server.dashboard.activity import activity
from mosaic_telemetry.server.dashboard.files import file
from mosaic_telemetry.server.dashboard.overview import overview
from mosaic_telemetry.server.dashboard.predicting import predict

__all__ = ["ROUTES"]

ROUTES = [
    Route("/", overview, methods=["GET"]),
    Route("/predict", predict, methods=["GET"]),
    Route("/activity", activity, methods=["GET"]),
    Route("/static/{name}", file, methods=["GET"]),
]
