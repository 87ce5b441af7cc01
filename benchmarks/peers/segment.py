"""segment-analytics-python: `Client(...).track(user_id, event, properties)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from segment.analytics import Client
from support.payload import INSTANCE_ID, properties

from peers.base import Settings


class Adapter:
    """See `peers.base.Peer`."""

    def __init__(self, settings: Settings) -> None:
        self._client = Client("key", host=settings.url, max_queue_size=settings.queue)  # batches of 100, no gzip: its defaults

    def prepare(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        return [properties(number) for number in numbers]

    def report(self, item: dict[str, Any]) -> object:
        return self._client.track(INSTANCE_ID, "task", item)

    def full(self) -> bool:
        return False  # the queue takes as many as it was told to

    def flush(self) -> object:
        return self._client.flush()

    def close(self) -> object:
        return self._client.shutdown()
