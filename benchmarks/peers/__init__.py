"""The clients that are measured, and how each is imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from peers.base import Peer, Settings

__all__ = ["CLIENTS", "OURS", "OURS_ONLY", "PEERS", "Client", "Peer", "Settings", "make"]


@dataclass(frozen=True, slots=True)
class Client:
    """A client that is measured.

    Attributes:
        label: its name in the tables.
        module: the module in `peers` that speaks to it, and the class in it.
        distributions: what one installs; the first gives the version.
        statement: the import that a program needs to report over HTTP.
    """

    label: str
    module: str
    maker: str
    distributions: tuple[str, ...]
    statement: str


_OTEL = """
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
"""
PEERS = {
    "posthog": Client("posthog", "posthog", "Adapter", ("posthog",), "from posthog import Posthog"),
    "segment": Client("segment", "segment", "Adapter", ("segment-analytics-python",), "from segment.analytics import Client"),
    "sentry": Client("sentry-sdk (logs)", "sentry", "Adapter", ("sentry-sdk",), "import sentry_sdk"),
    "opentelemetry": Client(
        "opentelemetry (logs)",
        "opentelemetry",
        "Adapter",
        ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
        _OTEL,
    ),
    "libhoney": Client("libhoney", "libhoney", "Adapter", ("libhoney",), "import libhoney"),
    "snowplow": Client(
        "snowplow",
        "snowplow",
        "Adapter",
        ("snowplow-tracker",),
        "from snowplow_tracker import AsyncEmitter, SelfDescribing, SelfDescribingJson, Tracker",
    ),
}
_IMPORT = "from mosaic_telemetry import TelemetryClient, TelemetryConfig"
OURS = {
    "memory": Client("**mosaic**, memory only", "mosaic", "Memory", ("mosaic-telemetry",), _IMPORT),
    "spool": Client("**mosaic**, spool", "mosaic", "Spool", ("mosaic-telemetry",), _IMPORT),
}
OURS_ONLY = {
    "build": Client("**mosaic**, build + track, spool", "mosaic", "Build", ("mosaic-telemetry",), _IMPORT),
    "least": Client("*the least*: `os.write`, and a thread that posts ready bytes", "least", "Least", ("mosaic-telemetry",), _IMPORT),
}
CLIENTS = {**PEERS, **OURS}


def make(name: str, settings: Settings) -> Peer:
    """The client of that name, set up."""
    client = {**CLIENTS, **OURS_ONLY}[name]
    peer: Peer = getattr(import_module(f"peers.{client.module}"), client.maker)(settings)
    return peer
