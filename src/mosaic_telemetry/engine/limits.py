"""Rate limits by token buckets, which all processes on one store share.

A process takes tokens out of its own picture of a bucket, which costs a request nothing, and settles with the store several times a
second. Between two settlements processes may together let more requests in than there are tokens; the bucket then owes them, and in the
long run no more come in than its rate allows.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store import AccountStore, Bucket

__all__ = ["Limit", "Limiter", "Verdict"]

_log = logging.getLogger(__name__)

_PERIOD = 0.2
_PATIENCE = 30.0
_SWEEP = 60.0
_FORGET = 3600.0
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket's measures.

    Attributes:
        rate: requests that may come a second, in the long run.
        burst: requests that may come at once.
    """

    rate: float
    burst: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may come in.

    Attributes:
        allowed: whether it may.
        limit: the limit that it was held against.
        left: requests that may come now.
        retry_after: whole seconds after which the next may come; 0 where it may now.
        full_after: whole seconds after which as many as `limit.burst` may come again.
    """

    allowed: bool
    limit: Limit
    left: int
    retry_after: int
    full_after: int


@dataclass(slots=True)
class _Picture:
    """What this process knows of a bucket: the tokens in it at a time, and how many of them were taken since it was settled."""

    limit: Limit
    tokens: float
    at: float
    taken: int = 0

    def fill(self, now: float) -> None:
        self.tokens = min(self.limit.burst, self.tokens + self.limit.rate * max(0.0, now - self.at))
        self.at = max(now, self.at)


class Limiter:
    """Says who may come in. Safe to use from several threads.

    Args:
        store: where the buckets are that all share.
        now: the time, in seconds since 1970.
        period: seconds between settlements; 0 to settle only when `settle` is called.
    """

    def __init__(self, store: AccountStore, now: Callable[[], float], period: float = _PERIOD) -> None:
        self._store = store
        self._now = now
        self._pictures: dict[str, _Picture] = {}
        self._touched: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._swept = now()
        self._failing = False
        self._thread = threading.Thread(target=self._run, args=(period,), name="mosaic-telemetry-limits", daemon=True) if period else None
        if self._thread:
            self._thread.start()

    def take(self, name: str, limit: Limit) -> Verdict:
        """Let a request in if the bucket of this name holds a token, and take that."""
        now = self._now()
        with self._lock:
            picture = self._pictures.get(name)
            if picture is None or picture.limit != limit:
                if len(self._pictures) >= _MOST:
                    self._pictures.clear()  # what the store knows comes back with the next settlement
                picture = self._pictures[name] = _Picture(limit, limit.burst, now)
            picture.fill(now)
            self._touched.add(name)
            allowed = picture.tokens >= 1
            if allowed:
                picture.tokens -= 1
                picture.taken += 1
            tokens = picture.tokens
        # As a client counts, from the moment that it has the answer: a moment too late, never too early.
        retry_after = 0 if allowed else math.ceil((1 - tokens) / limit.rate)
        return Verdict(allowed, limit, max(0, int(tokens)), retry_after, math.ceil((limit.burst - tokens) / limit.rate))

    def settle(self) -> None:
        """Tell the store what was taken here, and learn what was taken elsewhere.

        Raises:
            DatabaseError: the store failed; the next settlement makes up for it.
        """
        now = self._now()
        with self._lock:
            taken: dict[str, Bucket] = {}
            for name in self._touched:
                if picture := self._pictures.get(name):
                    taken[name] = Bucket(picture.limit.rate, picture.limit.burst, picture.taken)
                    picture.taken = 0
            self._touched = set()
        try:
            held = self._store.settle(taken, int(now * 1000)).result(_PATIENCE) if taken else {}
        except (DatabaseError, TimeoutError) as error:
            self._give_back(taken)
            if isinstance(error, DatabaseError):
                raise
            raise DatabaseError("the database did not answer in time") from error
        with self._lock:
            for name, tokens in held.items():
                if picture := self._pictures.get(name):
                    picture.tokens, picture.at = tokens - picture.taken, now
        self._sweep(now)

    def close(self) -> None:
        """Settle for the last time. May be called twice."""
        self._stopped.set()
        if self._thread:
            self._thread.join()

    def _give_back(self, taken: dict[str, Bucket]) -> None:
        with self._lock:
            for name, bucket in taken.items():
                if picture := self._pictures.get(name):
                    picture.taken += int(bucket.taken)
                    self._touched.add(name)

    def _sweep(self, now: float) -> None:
        """Forget pictures of buckets that are full again, and buckets that nobody used for long."""
        if now - self._swept < _SWEEP:
            return
        self._swept = now
        with self._lock:
            for name, picture in list(self._pictures.items()):
                picture.fill(now)
                if not picture.taken and picture.tokens >= picture.limit.burst:
                    del self._pictures[name]
        self._store.forget_buckets(int((now - _FORGET) * 1000))

    def _run(self, period: float) -> None:
        while not self._stopped.wait(period):
            self._try()
        self._try()

    def _try(self) -> None:
        try:
            self.settle()
        except DatabaseError as error:
            if not self._failing:
                _log.warning("rate limits hold for this process alone at the moment: %s", error)
            self._failing = True
        else:
            self._failing = False
