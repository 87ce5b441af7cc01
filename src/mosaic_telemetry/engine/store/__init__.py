"""Where events, cells, instances and keys are kept: one Protocol, one subpackage a database."""

from mosaic_telemetry.engine.store.protocol import EventFields, Instance, Store, StoredCell, StoredEvent

__all__ = ["EventFields", "Instance", "Store", "StoredCell", "StoredEvent"]
