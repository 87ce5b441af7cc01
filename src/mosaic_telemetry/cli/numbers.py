"""Numbers as a person reads them."""

from mosaic_telemetry.figures import cost, count, duration, share

__all__ = ["cost", "count", "duration", "share"]
