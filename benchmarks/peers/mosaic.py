"""Ours: memory only, with the spool, and with the spool and a validated build in every call."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import Any

from support.payload import API_KEY, INSTANCE_ID, fields

from mosaic_telemetry import TaskCompletionEvent, TelemetryClient, TelemetryConfig
from peers.base import Settings

_WAITING = 8_000
"""Events that may wait in the spool, whose bound is 10 MB: some 13,000 of these events."""


class Memory:
    """`track` of a built event, kept in memory."""

    def __init__(self, settings: Settings) -> None:
        self._room = settings.queue
        config = TelemetryConfig(settings.url, API_KEY, INSTANCE_ID, max_queue_size=settings.queue, spool_dir=self.spool(settings))
        self.client = TelemetryClient(config)
        self.client.start()
        self.report: Any = self.client.track

    def spool(self, settings: Settings) -> str | None:
        """Where events are kept."""
        del settings
        return None

    def prepare(self, numbers: Iterable[int]) -> list[TaskCompletionEvent]:
        """Built events."""
        return [self.client.event_builder.build(fields(number)) for number in numbers]

    def full(self) -> bool:
        """Whether the queue is near its bound."""
        return self.client.queue_size >= self._room - 1

    def flush(self) -> bool:
        """Send what waits."""
        return self.client.flush(60.0)

    def close(self) -> bool:
        """Send what waits, and end."""
        return self.client.stop()


class Spool(Memory):
    """The same with events on disk before `track` returns."""

    def spool(self, settings: Settings) -> str | None:
        """A directory of its own where none is given."""
        return settings.spool or tempfile.mkdtemp()

    def full(self) -> bool:
        """Whether the spool is near its bound in events or bytes."""
        return self.client.queue_size >= min(self._room - 1, _WAITING)


class Build(Spool):
    """`build`, which validates all fields, and `track`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        build, track = self.client.event_builder.build, self.client.track
        self.report = lambda known: track(build(**known))

    def prepare(self, numbers: Iterable[int]) -> list[Any]:
        """What a caller knows of each task."""
        return [fields(number) for number in numbers]
