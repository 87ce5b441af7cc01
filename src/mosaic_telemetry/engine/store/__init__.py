"""Where events, cells, instances and keys are kept: one Protocol, one subpackage a database."""

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
    "CellState",
    "Change",
    "EventFields",
    "EventRow",
    "Instance",
    "RecordKey",
    "Share",
    "ShareKey",
    "Store",
    "StoredCell",
    "StoredEvent",
    "TotalKey",
    "Totals",
]
