"""From the logs that coding harnesses leave on disk to events. One collector a harness, all behind one small Protocol."""

from mosaic_telemetry.collectors.aider import Aider
from mosaic_telemetry.collectors.base import Collector
from mosaic_telemetry.collectors.choosing import Choice, parse_since
from mosaic_telemetry.collectors.claude_code import ClaudeCode
from mosaic_telemetry.collectors.cline import Cline
from mosaic_telemetry.collectors.codex import Codex
from mosaic_telemetry.collectors.events import Converted, event_id, to_event
from mosaic_telemetry.collectors.gemini import Gemini
from mosaic_telemetry.collectors.kilo import Kilo
from mosaic_telemetry.collectors.opencode import OpenCode
from mosaic_telemetry.collectors.pi import Pi
from mosaic_telemetry.collectors.readers import UnitReader
from mosaic_telemetry.collectors.reading import Watcher
from mosaic_telemetry.collectors.scanning import Scan, plan_scan
from mosaic_telemetry.collectors.scanstate import ScanState, state_file
from mosaic_telemetry.collectors.sinks import Delivery, ServerSink, Sink
from mosaic_telemetry.collectors.usage import Usage
from mosaic_telemetry.collectors.values import Collection, Evidence, ModelCall, Note, Skipped, Task, Totals

__all__ = [
    "COLLECTORS",
    "Choice",
    "Collection",
    "Collector",
    "Converted",
    "Delivery",
    "Evidence",
    "ModelCall",
    "Note",
    "Scan",
    "ScanState",
    "ServerSink",
    "Sink",
    "Skipped",
    "Task",
    "Totals",
    "UnitReader",
    "Watcher",
    "event_id",
    "parse_since",
    "plan_scan",
    "state_file",
    "to_event",
]

COLLECTORS: tuple[Collector, ...] = (ClaudeCode(), OpenCode(), Kilo(), Cline(), Aider(), Codex(), Gemini(), Pi(), Usage())
"""All collectors, in the order in which they are shown."""
