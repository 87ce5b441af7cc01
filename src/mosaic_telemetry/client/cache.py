"""Predictions at hand: a cache in memory with a time to live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mosaic_telemetry.schema import PredictionQuery, PredictionResponse

__all__ = ["PredictionCache"]


class PredictionCache:
    """Answers by query, each for `ttl` seconds. An expired one reads as absent and is removed when it is read.

    Args:
        ttl: time to live in seconds, above 0.
        clock: monotonic seconds.
    """

    def __init__(self, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not ttl > 0:
            raise ValueError(f"ttl: {ttl!r} is not a positive number of seconds")
        self._ttl = ttl
        self._clock = clock
        self._entries: dict[PredictionQuery, tuple[float, PredictionResponse]] = {}
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """In a forked child: another thread may have held the lock."""
        self._lock = threading.Lock()

    def get(self, query: PredictionQuery) -> PredictionResponse | None:
        """The answer to a query, or None."""
        entry = self._entries.get(query)
        if entry is None:
            return None
        if self._clock() < entry[0]:
            return entry[1]
        with self._lock:
            if self._entries.get(query) is entry:  # not one that another thread has renewed meanwhile
                del self._entries[query]
        return None

    def set(self, query: PredictionQuery, response: PredictionResponse) -> None:
        """Keep an answer from now on."""
        with self._lock:
            self._entries[query] = (self._clock() + self._ttl, response)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
