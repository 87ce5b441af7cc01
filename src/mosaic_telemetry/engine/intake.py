"""What came in and what became of it, in numbers: for those who look after a server.

The numbers are kept in memory and written about each second, so that ingest pays next to nothing for them. A killed process takes
the last second's with it: they are for orientation, and nothing is reckoned from them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.ingest import Judged
from mosaic_telemetry.engine.rollup import DAY_MS
from mosaic_telemetry.engine.store import IntakeKey, Store
from mosaic_telemetry.schema import TaskCompletionEvent
from mosaic_telemetry.schema.fields import kinds_of

__all__ = ["ACCEPTED", "DUPLICATE", "INVALID", "Intake", "reason_of"]

_log = logging.getLogger(__name__)

ACCEPTED = "accepted"
DUPLICATE = "duplicate"
INVALID = "invalid"
_PERIOD = 1.0
_FIELDS = frozenset(name for name, _ in kinds_of(TaskCompletionEvent))


def reason_of(error: str) -> str:
    """Why an event was refused, as one of few: `invalid: ` and the first field that was wrong, or `invalid`."""
    field = error.partition(":")[0]
    return f"{INVALID}: {field}" if field in _FIELDS else INVALID


class Intake:
    """Counts batches. Safe to use from several threads.

    Args:
        store: where the numbers are kept.
        now_ms: the time, in milliseconds since 1970.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._counts: dict[IntakeKey, int] = {}
        self._timer: threading.Timer | None = None
        self._closed = False

    def count(self, instance: int, judged: Judged, new: Sequence[bool]) -> None:
        """Count a batch of which `new` says what the store did not hold before."""
        results = {ACCEPTED: sum(new), DUPLICATE: len(new) - sum(new)}
        for error in judged.errors.values():
            reason = reason_of(error)
            results[reason] = results.get(reason, 0) + 1
        day = self._now_ms() // DAY_MS
        with self._lock:
            for result, events in results.items():
                if events:
                    key = IntakeKey(day, instance, result)
                    self._counts[key] = self._counts.get(key, 0) + events
            if self._timer is None and not self._closed:
                self._timer = threading.Timer(_PERIOD, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> Future[None] | None:
        """Write what was counted; does not wait for it. None where there is nothing to write."""
        with self._lock:
            counts, self._counts = self._counts, {}
            self._timer = None
        if not counts:
            return None
        written = self._store.add_intake(counts)
        written.add_done_callback(_complain)
        return written

    def close(self) -> None:
        """Write what was counted, at once."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
        self.flush()


def _complain(written: Future[None]) -> None:
    error = written.exception()
    if isinstance(error, DatabaseError):
        _log.warning("numbers of what came in could not be written (%s)", error)
    elif error is not None:
        _log.error("numbers of what came in could not be written", exc_info=error)
