"""A bound on what waits: memory stays flat and answers come soon, however much is sent."""

from __future__ import annotations

import threading

from mosaic_telemetry.engine.errors import OverloadedError

__all__ = ["Room"]

_MOST_WAITING = 5_000
"""Events that may wait for the store: about a tenth of a second of work, and 10 MB."""


class Room:
    """Counts events that wait. Safe to use from several threads.

    Args:
        size: how many may wait at a time; a single batch always may.
    """

    def __init__(self, size: int = _MOST_WAITING) -> None:
        self._size = size
        self._waiting = 0
        self._lock = threading.Lock()

    def check(self, events: int) -> None:
        """See whether so many more may wait. Nothing is kept for them: whoever sends slowly must not hold what others could use.

        Raises:
            OverloadedError: they may not.
        """
        if self._waiting and self._waiting + events > self._size:
            raise OverloadedError(f"{self._waiting:,} events wait to be stored already")

    def take(self, events: int) -> None:
        """Let so many more wait.

        Raises:
            OverloadedError: there is no room for them.
        """
        with self._lock:
            self.check(events)
            self._waiting += events

    def give_back(self, events: int) -> None:
        """So many wait no longer."""
        with self._lock:
            self._waiting -= events
