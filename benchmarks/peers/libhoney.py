"""libhoney: `libhoney.init(…)`, then `libhoney.new_event(data).send()`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import libhoney
from libhoney.transmission import Transmission
from support.payload import properties

from peers.base import Settings


class Adapter:
    """See `peers.base.Peer`."""

    def __init__(self, settings: Settings) -> None:
        transmission = Transmission(max_batch_size=100, max_pending=settings.queue, gzip_enabled=False)
        libhoney.init(writekey="key", dataset="bench", api_host=settings.url, transmission_impl=transmission)

    def prepare(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        return [properties(number) for number in numbers]

    def report(self, item: dict[str, Any]) -> object:
        return libhoney.new_event(item).send()

    def full(self) -> bool:
        return False  # the queue takes as many as it was told to

    def flush(self) -> object:
        return libhoney.flush()

    def close(self) -> object:
        return libhoney.close()
