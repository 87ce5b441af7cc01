"""The end of a process, and its forks: who has something to deliver is kept alive, told, and waited for.

Laws: an exit waits `EXIT_TIMEOUT` at most, for all clients together; no client's trouble is another's, nor the interpreter's;
no thread is started where the interpreter starts none any more.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from types import FrameType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mosaic_telemetry.client.worker import FlushRequest

__all__ = ["EXIT_TIMEOUT", "Deliverer", "forget", "holds_a_lock", "register", "remember"]

EXIT_TIMEOUT = 0.4
"""Seconds that the exit of a process waits for the delivery of what is left; with what surrounds it, the exit takes half a second longer at most."""


class Deliverer(Protocol):
    """Who may have something to deliver when the process ends."""

    def deliver_at_exit(self, end: float) -> FlushRequest | None:
        """Begin to send what is left, until `end` on the monotonic clock; None where nothing is, or it cannot be."""

    def after_fork(self) -> None:
        """In a forked child: let go of all that is the parent's."""


_all: weakref.WeakSet[Deliverer] = weakref.WeakSet()
_unfinished: set[Deliverer] = set()
"""Those with something to deliver: kept alive, also where their owner forgets them, until they have."""


def register(deliverer: Deliverer) -> None:
    """Tell it of forks, as long as it lives."""
    _all.add(deliverer)


def remember(deliverer: Deliverer) -> None:
    """Keep it, and let it deliver at exit."""
    if deliverer not in _unfinished:
        if not _unfinished:
            atexit.unregister(_at_exit)  # registered last, it runs before the handlers that were there already
            atexit.register(_at_exit)
        _unfinished.add(deliverer)


def forget(deliverer: Deliverer) -> None:
    """All is delivered."""
    _unfinished.discard(deliverer)


def _at_exit() -> None:
    end = time.monotonic() + EXIT_TIMEOUT
    requests = [deliverer.deliver_at_exit(end) for deliverer in list(_unfinished)]
    for request in requests:
        if request is not None:
            request.wait(end - time.monotonic())


def _in_child() -> None:
    for deliverer in list(_all):
        deliverer.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def holds_a_lock() -> bool:
    """Whether this thread is inside one of our own modules that hold locks, further down in its stack.

    So it is in the handler of a signal that came amid `track`, and in `on_error` called by the sender: neither may wait for
    the sender, who gets on only when they have returned.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the interpreter's public way, underscore and all
    while frame is not None:
        if frame.f_globals.get("__name__") in _LOCKING:
            return True
        frame = frame.f_back
    return False


_LOCKING = frozenset(f"mosaic_telemetry.client.{name}" for name in ("queue", "segment", "spool", "stats", "worker"))
