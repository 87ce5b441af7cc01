"""posthog: `Posthog(...).capture(event, distinct_id=…, properties=…)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from posthog import Posthog
from support.payload import INSTANCE_ID, properties

from peers.base import Settings


class Adapter:
    """See `peers.base.Peer`."""

    def __init__(self, settings: Settings) -> None:
        self._client = Posthog("key", host=settings.url, max_queue_size=settings.queue)  # batches of 100, no gzip: its defaults

    def prepare(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        return [properties(number) for number in numbers]

    def report(self, item: dict[str, Any]) -> object:
        return self._client.capture("task", distinct_id=INSTANCE_ID, properties=item)

    def full(self) -> bool:
        return False  # the queue takes as many as it was told to

    def flush(self) -> object:
        return self._client.flush(timeout_seconds=60)

    def close(self) -> object:
        return self._client.shutdown()
