"""Where problems go: to the counters, to `on_error`, and at most once a minute to the log. Nothing here raises."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mosaic_telemetry.client.config import ErrorHandler
from mosaic_telemetry.client.stats import Counters

__all__ = ["Reporter"]

LOG_INTERVAL = 60.0
"""Seconds between two lines in the log, at least."""


class Reporter:
    """Takes problems from any thread."""

    def __init__(self, on_error: ErrorHandler | None, counters: Counters, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_error = on_error
        self._counters = counters
        self._clock = clock
        self._next_line = float("-inf")
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: nobody is inside, and the parent tells of its own problems."""
        self._silenced = 0
        self._inside = threading.local()

    def __call__(self, error: Exception) -> None:
        """Report a problem. One that arises while another is being reported by the same thread is only counted."""
        if getattr(self._inside, "active", False):
            return
        self._inside.active = True
        try:
            self._counters.last_error = str(error)
            if self._on_error is not None:
                self._on_error(error)
            self._log(error)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001, S110 - a handler that raises, or calls sys.exit, does no harm; nobody is left to tell
            pass
        finally:
            self._inside.active = False

    def _log(self, error: Exception) -> None:
        now = self._clock()
        if now < self._next_line:
            self._silenced += 1
            return
        self._next_line = now + LOG_INTERVAL
        silenced, self._silenced = self._silenced, 0
        import logging  # costs 5 ms of import, which a process without problems need not pay

        more = f" (and {silenced} more problems before it)" if silenced else ""
        logging.getLogger("mosaic_telemetry").warning("mosaic-telemetry: %s%s", error, more)
