"""What the server is without HTTP: ingest, predictions, accounts, and the stores below them."""

from mosaic_telemetry.engine.accounts import Credentials
from mosaic_telemetry.engine.engine import Engine, Submission, open_engine
from mosaic_telemetry.engine.errors import BrokenJsonError, DatabaseBusyError, DatabaseError, EngineError, FormError, UnknownInstanceError, WrongInstanceError
from mosaic_telemetry.engine.store import Instance

__all__ = [
    "BrokenJsonError",
    "Credentials",
    "DatabaseBusyError",
    "DatabaseError",
    "Engine",
    "EngineError",
    "FormError",
    "Instance",
    "Submission",
    "UnknownInstanceError",
    "WrongInstanceError",
    "open_engine",
]
