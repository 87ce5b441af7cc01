"""Predictions at hand: a cache in memory with a time to live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mosaic_telemetry.schema import PredictionQuery, PredictionResponse

__all__ = ["PredictionCache", "key_of"]


def key_of(query: PredictionQuery) -> str:
    """What a query's answer is kept by: all four dimensions, the model trimmed and in lower case, as servers compare it.

    Raises:
        AttributeError, TypeError: for what is no query, or holds no text.
    """
    return "\n".join((query.task_type, query.provider, query.complexity, query.model.strip().lower()))


class PredictionCache:
    """Answers by query, each for `ttl` seconds. An expired one reads as absent and is removed when it is read. Safe to use from any thread.

    Args:
        ttl: time to live in seconds, above 0.
        clock: monotonic seconds.
        stale: seconds after that time in which `look` still answers it, as one to be renewed.
    """

    def __init__(self, ttl: float, clock: Callable[[], float] = time.monotonic, *, stale: float = 0.0) -> None:
        if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not ttl > 0:
            raise ValueError(f"ttl: {ttl!r} is not a positive number of seconds")
        self._ttl = ttl
        self._stale = stale
        self._clock = clock
        self._entries: dict[str, tuple[float, PredictionResponse, PredictionQuery]] = {}
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """In a forked child: another thread may have held the lock."""
        self._lock = threading.Lock()

    def get(self, query: PredictionQuery) -> PredictionResponse | None:
        """The answer to a query, or None."""
        answer, fresh = self.look(query)
        return answer if fresh else None

    def look(self, query: PredictionQuery) -> tuple[PredictionResponse | None, bool]:
        """The answer to a query, and whether it is within its time; None and False where there is none."""
        key = key_of(query)
        entry = self._entries.get(key)
        if entry is None:
            return None, False
        now = self._clock()
        if now < entry[0]:
            return entry[1], True
        if now < entry[0] + self._stale:
            return entry[1], False
        with self._lock:
            if self._entries.get(key) is entry:  # not one that another thread has renewed meanwhile
                del self._entries[key]
        return None, False

    def restore(self, query: PredictionQuery, response: PredictionResponse, left: float) -> None:
        """Keep an answer that has `left` seconds to live, unless there is one already."""
        left = min(left, self._ttl)
        if left + self._stale > 0:
            with self._lock:
                self._entries.setdefault(key_of(query), (self._clock() + left, response, query))

    def entries(self) -> list[tuple[PredictionQuery, PredictionResponse, float]]:
        """Query, answer and seconds still to live (below 0: stale) of all that may still be answered."""
        now = self._clock()
        with self._lock:
            return [(query, response, end - now) for end, response, query in self._entries.values() if now < end + self._stale]

    def set(self, query: PredictionQuery, response: PredictionResponse) -> None:
        """Keep an answer from now on."""
        with self._lock:
            self._entries[key_of(query)] = (self._clock() + self._ttl, response, query)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
