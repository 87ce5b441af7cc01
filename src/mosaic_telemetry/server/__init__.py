"""The HTTP face of the engine."""

from mosaic_telemetry.server.app import create_app
from mosaic_telemetry.server.run import bind, run
from mosaic_telemetry.server.settings import Settings, SettingsError
from mosaic_telemetry.server.workers import reserve, run_workers

__all__ = ["Settings", "SettingsError", "bind", "create_app", "reserve", "run", "run_workers"]
