"""What the server is without HTTP: ingest, predictions, accounts, and the stores below them."""

from mosaic_telemetry.engine.accounts import Accounts, Credentials, IssuedKey
from mosaic_telemetry.engine.engine import Engine, Submission, open_engine
from mosaic_telemetry.engine.errors import (
    AccountError,
    BrokenJsonError,
    DatabaseBusyError,
    DatabaseError,
    EngineError,
    FormError,
    OverloadedError,
    UnknownInstanceError,
    UnknownKeyError,
    WrongInstanceError,
)
from mosaic_telemetry.engine.store import Instance

__all__ = [
    "AccountError",
    "Accounts",
    "BrokenJsonError",
    "Credentials",
    "DatabaseBusyError",
    "DatabaseError",
    "Engine",
    "EngineError",
    "FormError",
    "Instance",
    "IssuedKey",
    "OverloadedError",
    "Submission",
    "UnknownInstanceError",
    "UnknownKeyError",
    "WrongInstanceError",
    "open_engine",
]
