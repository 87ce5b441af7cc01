"""The HTTP face of the engine."""

from mosaic_telemetry.server.app import create_app
from mosaic_telemetry.server.run import bind, run

__all__ = ["bind", "create_app", "run"]
