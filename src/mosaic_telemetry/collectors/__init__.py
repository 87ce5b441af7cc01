"""From the logs that coding harnesses leave on disk to events. One collector a harness, all behind one small Protocol."""

from mosaic_telemetry.collectors.base import Collector
from mosaic_telemetry.collectors.claude_code import ClaudeCode
from mosaic_telemetry.collectors.events import Converted, event_id, to_event
from mosaic_telemetry.collectors.reading import Watcher
from mosaic_telemetry.collectors.sinks import Delivery, ServerSink, Sink
from mosaic_telemetry.collectors.values import Collection, ModelCall, Note, Skipped, Task, Totals

__all__ = [
    "COLLECTORS",
    "Collection",
    "Collector",
    "Converted",
    "Delivery",
    "ModelCall",
    "Note",
    "ServerSink",
    "Sink",
    "Skipped",
    "Task",
    "Totals",
    "Watcher",
    "event_id",
    "to_event",
]

COLLECTORS: tuple[Collector, ...] = (ClaudeCode(),)
"""All collectors, in the order in which they are shown."""
