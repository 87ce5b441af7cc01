"""snowplow-tracker: self-describing events through the asynchronous emitter, over one kept connection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import requests
from snowplow_tracker import AsyncEmitter, SelfDescribing, SelfDescribingJson, Tracker
from support.payload import properties

from peers.base import Settings

_SCHEMA = "iglu:bench/task/jsonschema/1-0-0"


class Adapter:
    """See `peers.base.Peer`."""

    def __init__(self, settings: Settings) -> None:
        host, _, port = settings.url.removeprefix("http://").partition(":")
        emitter = AsyncEmitter(host, protocol="http", port=int(port), batch_size=100, buffer_capacity=settings.queue, session=requests.Session())
        self._tracker = Tracker("bench", emitter, encode_base64=False)

    def prepare(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        return [properties(number) for number in numbers]

    def report(self, item: dict[str, Any]) -> object:
        return self._tracker.track(SelfDescribing(SelfDescribingJson(_SCHEMA, item)))

    def full(self) -> bool:
        return False  # full batches wait in a queue without bound

    def flush(self) -> object:
        return self._tracker.flush()

    def close(self) -> object:
        return self._tracker.flush()
