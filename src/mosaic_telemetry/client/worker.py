"""The sender thread: when to send.

One daemon thread. It sleeps until its interval has passed, a full batch waits, or someone asks for a flush; so an idle
client wakes once per interval. Failures in a row make the pause before the next unasked request grow, over all rounds; a
flush tries at once, and only a running `Retry-After` holds it back. Law: nothing that a round raises ends the thread.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from mosaic_telemetry.client.config import ResolvedConfig
from mosaic_telemetry.client.delivery import Delivery
from mosaic_telemetry.client.queue import Buffer
from mosaic_telemetry.client.retry import Hold, backoff
from mosaic_telemetry.client.submitter import SubmitResult

__all__ = ["FlushRequest", "Worker"]

_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 3600.0
_LONGEST_WAIT = 1e6  # the platform's clocks overflow long before a float does


class FlushRequest:
    """Someone waits until what is queued now is sent, or cannot be. `deadline` is on the monotonic clock."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.delivered = False
        self._done = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._lock = threading.RLock()

    def finish(self, *, delivered: bool) -> None:
        """Wake whoever waits; `delivered` says whether nothing is left."""
        with self._lock:
            self.delivered = delivered
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_done(self, callback: Callable[[], object]) -> None:
        """Call `callback` once when finished, at once where that is already so."""
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; returns whether all was delivered."""
        return self._done.wait(min(max(timeout, 0.0), _LONGEST_WAIT)) and self.delivered


class Worker:
    """Runs a `Delivery` in a thread of its own."""

    def __init__(self, config: ResolvedConfig, buffer: Buffer, delivery: Delivery, hold: Hold) -> None:
        self._config = config
        self._buffer = buffer
        self._delivery = delivery
        self._hold = hold
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._requests: list[FlushRequest] = []
        self._running = False
        self.signalled = False  # the thread knows already that a full batch waits
        self._failures = 0
        self._pauses = 0
        self._not_before = 0.0  # an unasked request waits until then

    @property
    def is_running(self) -> bool:
        """Whether events are sent in the background."""
        return self._running

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in the sender's own thread, as `on_error` may."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Begin to send in the background."""
        with self._condition:
            self._running = True
            self._ensure_thread()

    def stop(self) -> None:
        """Send nothing more in the background; a flush under way goes on."""
        with self._condition:
            self._running = False
            self._condition.notify_all()

    def batch_waits(self) -> None:
        """A full batch waits: send it now, unless failures say to wait."""
        with self._condition:
            self.signalled = True
            self._condition.notify_all()

    def flush(self, request: FlushRequest) -> None:
        """Send what is queued now, and then finish `request`."""
        with self._condition:
            self._requests.append(request)
            try:
                self._ensure_thread()
            except RuntimeError:  # the interpreter is going down and starts no threads: send from this one
                self._requests.remove(request)
                inline = True
            else:
                inline = False
                self._condition.notify_all()
        if inline:
            delivered = self._safe_round([request])
            self._close()
            request.finish(delivered=delivered)

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="mosaic-telemetry", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._serve()
            except Exception as error:  # noqa: BLE001 - a mistake in our own code, or memory that ran out, must not end the sender for good
                self._delivery.report(error)
                time.sleep(1.0)
            else:
                return

    def _serve(self) -> None:
        """Send until stopped."""
        tick = time.monotonic() + self._config.submit_interval
        while True:
            with self._condition:
                while self._running and not self._requests:
                    now = time.monotonic()
                    wake = max(tick, self._earliest())
                    self.signalled = False
                    if self._buffer.size >= self._config.batch_size:
                        self.signalled = True
                        wake = min(wake, max(now, self._earliest()))
                    if wake <= now:
                        break
                    self._condition.wait(min(wake - now, _LONGEST_WAIT))
                if not self._running and not self._requests:
                    self._close()
                    self._thread = None
                    return
                requests, self._requests = self._requests, []
            delivered = self._safe_round(requests)
            if not self._running:
                self._close()  # before those wake who wait for it: a program that ends then leaves no empty file
            tick = time.monotonic() + self._config.submit_interval
            for request in requests:
                request.finish(delivered=delivered)

    def _close(self) -> None:
        try:
            self._delivery.close()
            self._buffer.close()
        except Exception as error:  # noqa: BLE001 - as in _run
            self._delivery.report(error)

    def _earliest(self) -> float:
        return max(self._not_before, self._hold.until)

    def _safe_round(self, requests: list[FlushRequest]) -> bool:
        """A round that raises nothing, so that whoever waits for it wakes; what was taken is back in the buffer."""
        try:
            return self._round(requests)
        except Exception as error:  # noqa: BLE001 - as in _run
            self._failures += 1
            self._not_before = time.monotonic() + backoff(self._failures, random.random)
            self._delivery.report(error)
            return False

    def _round(self, requests: list[FlushRequest]) -> bool:
        """Send what waits now; returns whether all of it went."""
        end = max((request.deadline for request in requests), default=None)
        self._buffer.recover()
        count = self._buffer.size
        failures = 0
        while count > 0 or (count := self._buffer.recover()) > 0:
            if not self._wait(self._hold.until, end, held=True):
                return False
            # Once stopped, a request may not outlast whoever waits for it; before, it may, and its answer still counts.
            timeout = None if end is None or self._running else end - time.monotonic()
            drained, result = self._delivery.send_batch(timeout)
            if result is None:
                count = 0  # taken by another thread, or too old: what processes left may still be there
                continue
            if result.success:
                self._failures = self._pauses = failures = 0
                self._not_before = 0.0
                count -= drained
                continue
            failures += 1
            again = self._note_failure(result)
            if not again or failures > self._config.max_retries or not self._wait(self._not_before, end):
                return False
            self._delivery.counters.add("retried")
        return True

    def _note_failure(self, result: SubmitResult) -> bool:
        """Say when the next request may go; returns whether a try within the round makes sense."""
        now = time.monotonic()
        if result.retry_after is not None:
            self._hold.extend(now + min(result.retry_after, self._config.max_retry_after))
        if result.error is not None and result.error.transient:
            self._failures += 1
            self._not_before = now + backoff(self._failures, random.random)
            return True
        # A permanent answer needs a person (a new key, another URL): ask ever more seldom, and lose nothing meanwhile.
        self._pauses += 1
        self._not_before = now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._pauses - 1, 16))
        return False

    def _wait(self, until: float, end: float | None, *, held: bool = False) -> bool:
        """Wait before the next try of a round; False where the round should end instead.

        A flush that comes meanwhile cuts the wait short, unless the server said to wait (`held`).
        """
        with self._condition:
            while (now := time.monotonic()) < until:
                if end is not None and until >= end:
                    return False
                if self._requests and not held:
                    return True
                if end is None and (held or not self._running):
                    return False
                self._condition.wait(min(until - now, _LONGEST_WAIT))
        return True
