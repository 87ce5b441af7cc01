"""opentelemetry-sdk: log records through the batch processor to the OTLP exporter over HTTP (protocol buffers)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from support.payload import properties

from peers.base import Settings


class Adapter:
    """See `peers.base.Peer`."""

    def __init__(self, settings: Settings) -> None:
        self._provider = LoggerProvider()
        exporter = OTLPLogExporter(endpoint=f"{settings.url}/v1/logs")
        batches = BatchLogRecordProcessor(exporter, max_queue_size=settings.queue, max_export_batch_size=100)
        self._provider.add_log_record_processor(batches)
        self._emit = self._provider.get_logger("bench").emit

    def prepare(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        return [properties(number) for number in numbers]

    def report(self, item: dict[str, Any]) -> object:
        return self._emit(LogRecord(body="task", attributes=item))

    def full(self) -> bool:
        return False  # the queue takes as many as it was told to

    def flush(self) -> object:
        return self._provider.force_flush()

    def close(self) -> object:
        return self._provider.shutdown()
