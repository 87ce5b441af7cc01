"""Counters of what became of the events."""

from __future__ import annotations

import threading

from mosaic_telemetry.schema.record import record

__all__ = ["Stats"]


@record(kw_only=True)
class Stats:
    """A snapshot of a client's counters, in events since it was made, or since the process was forked.

    Attributes:
        queued: events that wait now.
        sent: events in requests, each time that they were sent.
        accepted: events that the server took.
        rejected: events that the server refused; they are not sent again.
        duplicate: events that the server had already; they count as delivered.
        dropped: events given up here.
        retried: requests repeated after a failure.
        last_error: the newest problem as text, or None.
    """

    queued: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    dropped: int = 0
    retried: int = 0
    last_error: str | None = None


_COUNTED = ("sent", "accepted", "rejected", "duplicate", "dropped", "retried")


class Counters:
    """The counters behind `Stats`; may be added to from any thread."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Begin at 0; in a forked child the parent counts its own, and another thread may have held the lock."""
        self._lock = threading.RLock()  # a signal handler may count while its thread does
        self._counts = dict.fromkeys(_COUNTED, 0)
        self.last_error: str | None = None

    def add(self, name: str, count: int = 1) -> None:
        """Add to the counter `name` of `Stats`."""
        with self._lock:
            self._counts[name] += count

    def snapshot(self, queued: int) -> Stats:
        """The counters now; `queued` is the number of events that wait."""
        with self._lock:
            return Stats(queued=queued, last_error=self.last_error, **self._counts)
