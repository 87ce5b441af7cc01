"""Predictions that were just given, in this process: they are given again for a moment instead of being worked out anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from mosaic_telemetry.schema import PredictionQuery, PredictionResponse

__all__ = ["Answers"]

KEPT_SECONDS = 0.25
"""Short enough that what was accepted shows within a second, long enough that a hundred who ask the same cost as much as a few."""

_MOST = 5000


@dataclass(slots=True)
class _Kept:
    answer: PredictionResponse
    until: float
    encoded: bytes | None = None  # as it is given again


class Answers:
    """Answers to queries as JSON.

    Args:
        predict: works out answers, one a query.
        clock: monotonic seconds.
    """

    def __init__(self, predict: Callable[[Sequence[PredictionQuery]], list[PredictionResponse]], clock: Callable[[], float] = time.monotonic) -> None:
        self._predict = predict
        self._clock = clock
        self._kept: dict[PredictionQuery, _Kept] = {}

    def give(self, queries: Sequence[PredictionQuery]) -> list[bytes]:
        """The answer to each query; those that are given again say so (`cache_hit`).

        Raises:
            DatabaseError: the store cannot be read.
        """
        now = self._clock()
        found = {query: self._again(query, now) for query in queries}
        missing = [query for query, answer in found.items() if answer is None]
        if missing:
            if len(self._kept) + len(missing) > _MOST:
                self._kept.clear()
            for query, answer in zip(missing, self._predict(missing), strict=True):
                self._kept[query] = _Kept(answer, now + KEPT_SECONDS)
                found[query] = msgspec.json.encode(answer)
        return [found[query] or b"" for query in queries]

    def _again(self, query: PredictionQuery, now: float) -> bytes | None:
        kept = self._kept.get(query)
        if kept is None or kept.until <= now:
            return None
        if kept.encoded is None:
            kept.encoded = msgspec.json.encode(replace(kept.answer, metadata=replace(kept.answer.metadata, cache_hit=True)))
        return kept.encoded
