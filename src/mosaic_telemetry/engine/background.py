"""The thread that keeps an engine's cells while the engine is in use."""

from __future__ import annotations

import logging
import threading
import time

from mosaic_telemetry.engine.errors import DatabaseBusyError, DatabaseError
from mosaic_telemetry.engine.keeping import Keeper

__all__ = ["Background"]

_log = logging.getLogger(__name__)

_PERIOD = 0.1
_LONGEST = 0.3
_POLL = 0.5
_LAST = 10.0
"""Seconds of work at the end."""


class Background:
    """Lets a keeper do what is due: soon after `wake`, and every half second for what other processes wrote.

    Args:
        keeper: what it lets work.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._trouble = _Trouble()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mosaic-telemetry-keeper", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that something was written here."""
        self._woken.set()

    def stop(self) -> None:
        """Count what is there, for a while: the rest is done by whoever keeps the cells next. May be called twice."""
        self._stopped.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0  # at once, for what an earlier process left behind
        while not self._stopped.wait(pause):
            self._woken.clear()
            start = time.monotonic()
            done = self._step()
            if done is None:
                pause = _POLL
            elif not done:
                pause = _PERIOD if self._woken.wait(_POLL) else 0
            else:
                # Under load the pause is the longer the longer the work took: it is cheaper by the event in larger portions, where they may be larger.
                pause = 0 if self._keeper.behind else min(2 * (time.monotonic() - start), _LONGEST)
        self._end()

    def _end(self) -> None:
        """Count what was there when the end came, and not what others go on writing."""
        end = time.monotonic() + _LAST
        try:
            left = self._keeper.backlog()
        except DatabaseError:
            return  # it was said already that the store is away
        while left > 0 and time.monotonic() < end and (done := self._step()):
            left -= done

    def _step(self) -> int | None:
        """Do a portion; returns how many events it was about, None where it failed."""
        try:
            done = self._keeper.step()
        except Exception as error:  # noqa: BLE001 - the thread must live on, whatever it was
            self._trouble.came(error)
            return None
        self._trouble.went()
        return done


class _Trouble:
    """Tells once what keeps the cells from being kept, however often it is tried, and once that it is over."""

    def __init__(self) -> None:
        self._kinds: set[type[Exception]] = set()
        self._began = 0.0

    def came(self, error: Exception) -> None:
        if not self._kinds:
            self._began = time.monotonic()
        if type(error) in self._kinds:
            return
        self._kinds.add(type(error))
        if isinstance(error, DatabaseBusyError):
            _log.warning("the cells cannot be brought up to date (%s); it is tried until they can", error)
        else:
            _log.error("the cells cannot be brought up to date; it is tried until they can", exc_info=error)

    def went(self) -> None:
        if self._kinds:
            self._kinds.clear()
            _log.warning("the cells are brought up to date again, after %.1f s", time.monotonic() - self._began)
