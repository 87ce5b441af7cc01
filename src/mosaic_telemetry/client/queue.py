"""The bounded queue between `track` and the sender.

Laws: never more than `max_size` events wait; what goes when there is no room is counted; order is kept. The sender takes
events out with `drain` and says what became of them: `settle` for those that need not be sent again, `prepend` for the rest.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from mosaic_telemetry.schema import TaskCompletionEvent, encode_event

__all__ = ["Buffer", "EventQueue"]

QueuedEvent = TaskCompletionEvent | bytes
"""An event that waits: as an object, or in its JSON form."""


def encode_queued(event: QueuedEvent) -> bytes:
    """The JSON form of an event that waits; raises ValueError or TypeError where it has none."""
    return event if isinstance(event, bytes) else encode_event(event)


class Buffer(Protocol):
    """Where events wait. All methods may be called from any thread; none waits for the network."""

    @property
    def size(self) -> int:
        """Events that wait now."""

    @property
    def bound(self) -> str:
        """Why events were given up for want of room the last time, as a phrase."""

    def enqueue(self, event: TaskCompletionEvent) -> int:
        """Add an event at the end; returns how many were given up for it; may raise where an event has no JSON form."""

    def drain(self, count: int) -> Sequence[QueuedEvent]:
        """Take up to `count` events from the front."""

    def prepend(self, events: Sequence[QueuedEvent]) -> int:
        """Put drained events back to the front; returns how many were given up for want of room."""

    def settle(self, events: Sequence[QueuedEvent]) -> None:
        """Forget drained events: delivered, or given up for good."""

    def recover(self) -> int:
        """Take up what processes left that are gone; returns how many events."""

    def close(self) -> None:
        """Leave nothing behind that nobody needs; what waits stays."""

    def after_fork(self) -> None:
        """In a forked child: begin with nothing; what waits is the parent's to deliver."""


class EventQueue:
    """A bounded first-in, first-out queue in memory, safe to use from any thread.

    When it is full the oldest event goes. A failed batch goes back to the front; where there is no room for all of it, its
    first events are kept, and what was queued meanwhile stays.
    """

    __slots__ = ("_events", "_lock", "_max_size")

    def __init__(self, max_size: int = 1000) -> None:
        if isinstance(max_size, bool) or not isinstance(max_size, int) or max_size < 0:
            raise ValueError(f"max_size: {max_size!r} is not a whole number of at least 0")
        self._max_size = max_size
        self.after_fork()

    def after_fork(self) -> None:
        """Begin with nothing; in a forked child what waits is the parent's to deliver."""
        self._events: deque[QueuedEvent] = deque()
        self._lock = threading.RLock()  # a signal handler may report an event while its thread does

    def enqueue(self, event: TaskCompletionEvent) -> int:
        """Add an event at the end; returns how many were given up for it (0 or 1)."""
        with self._lock:
            if len(self._events) < self._max_size:
                self._events.append(event)
                return 0
            if self._max_size:
                self._events.popleft()
                self._events.append(event)
            return 1

    def drain(self, count: int | None = None) -> list[QueuedEvent]:
        """Take up to `count` events from the front; all without `count`."""
        with self._lock:
            take = len(self._events) if count is None else min(max(count, 0), len(self._events))
            return [self._events.popleft() for _ in range(take)]

    def prepend(self, events: Sequence[QueuedEvent]) -> int:
        """Put events back to the front, in their order; returns how many of the last had no room."""
        with self._lock:
            room = max(self._max_size - len(self._events), 0)
            self._events.extendleft(reversed(list(islice(events, room))))
        return max(len(events) - room, 0)

    def settle(self, events: Sequence[QueuedEvent]) -> None:
        """Nothing to do: what was drained from memory is gone."""

    def recover(self) -> int:
        """Nothing to do: memory keeps nothing of a process that is gone."""
        return 0

    def close(self) -> None:
        """Nothing to do."""

    @property
    def size(self) -> int:
        """Events that wait now."""
        return len(self._events)

    @property
    def bound(self) -> str:
        """What an event that was given up had no room in."""
        return f"the queue is full ({self._max_size} events)"

    @property
    def is_empty(self) -> bool:
        """Whether no event waits."""
        return not self._events

    def __len__(self) -> int:
        return len(self._events)
