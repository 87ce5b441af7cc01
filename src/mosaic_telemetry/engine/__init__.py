"""What the server is without HTTP: ingest, predictions, accounts, and the stores below them."""

from mosaic_telemetry.engine.accounts import Accounts, Credentials, IssuedKey
from mosaic_telemetry.engine.engine import Engine, open_engine
from mosaic_telemetry.engine.errors import (
    AccountError,
    BrokenJsonError,
    CellsFileError,
    DatabaseBusyError,
    DatabaseError,
    EngineError,
    FormError,
    OverloadedError,
    UnknownInstanceError,
    UnknownKeyError,
    WrongInstanceError,
)
from mosaic_telemetry.engine.keeping import Retention
from mosaic_telemetry.engine.receiving import Submission
from mosaic_telemetry.engine.standing import TRIAL_DAYS, Admission
from mosaic_telemetry.engine.store import ApiKey, Instance
from mosaic_telemetry.engine.store.opening import name_of

__all__ = [
    "TRIAL_DAYS",
    "AccountError",
    "Accounts",
    "Admission",
    "ApiKey",
    "BrokenJsonError",
    "CellsFileError",
    "Credentials",
    "DatabaseBusyError",
    "DatabaseError",
    "Engine",
    "EngineError",
    "FormError",
    "Instance",
    "IssuedKey",
    "OverloadedError",
    "Retention",
    "Submission",
    "UnknownInstanceError",
    "UnknownKeyError",
    "WrongInstanceError",
    "name_of",
    "open_engine",
]
