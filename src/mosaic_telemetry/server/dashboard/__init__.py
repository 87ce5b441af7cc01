"""The pages that people see: rendered here, without a build step, and without a request to any other host."""

from mosaic_telemetry.server.dashboard.routes import ROUTES

__all__ = ["ROUTES"]
