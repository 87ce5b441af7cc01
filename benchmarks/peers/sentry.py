"""sentry-sdk: structured logs, the one kind of event that it sends in batches (of 100): `sentry_sdk.logger.info(…, attributes=…)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sentry_sdk
from support.payload import properties

from peers.base import Settings

_MOST = 900
"""Logs that may wait: from 1,000 on the SDK drops them, whatever it is told."""


class Adapter:
    """See `peers.base.Peer`."""

    def __init__(self, settings: Settings) -> None:
        sentry_sdk.init(
            dsn=settings.url.replace("http://", "http://key@") + "/1",
            enable_logs=True,
            transport_queue_size=max(settings.queue // 100, 100),  # in batches
            send_default_pii=False,
            _experiments={"transport_compression_level": 0},
        )
        client = sentry_sdk.get_client()
        self._waiting = client.log_batcher._buffer  # noqa: SLF001 - it shows its length nowhere else
        self._log = sentry_sdk.logger.info

    def prepare(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        return [properties(number) for number in numbers]

    def report(self, item: dict[str, Any]) -> object:
        return self._log("task", attributes=item)

    def full(self) -> bool:
        return len(self._waiting) >= _MOST

    def flush(self) -> object:
        return sentry_sdk.flush(timeout=60)

    def close(self) -> object:
        return sentry_sdk.get_client().close()
