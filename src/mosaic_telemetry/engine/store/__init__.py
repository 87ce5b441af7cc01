"""Where events, cells, instances and keys are kept: one Protocol, one subpackage a database."""

from mosaic_telemetry.engine.store.accounts import AccountStore, Act, ApiKey, Bucket, FoundKey, IntakeKey, NewKey
from mosaic_telemetry.engine.store.protocol import Store
from mosaic_telemetry.engine.store.values import (
    COUNTS,
    IMPLAUSIBLE,
    ON_TRIAL,
    CellState,
    Change,
    EventFields,
    EventRow,
    Instance,
    RecordKey,
    Share,
    ShareKey,
    StoredCell,
    StoredEvent,
    TotalKey,
    Totals,
)

__all__ = [
    "COUNTS",
    "IMPLAUSIBLE",
    "ON_TRIAL",
    "AccountStore",
    "Act",
    "ApiKey",
    "Bucket",
    "CellState",
    "Change",
    "EventFields",
    "EventRow",
    "FoundKey",
    "Instance",
    "IntakeKey",
    "NewKey",
    "RecordKey",
    "Share",
    "ShareKey",
    "Store",
    "StoredCell",
    "StoredEvent",
    "TotalKey",
    "Totals",
]
