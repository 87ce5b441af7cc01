"""The client that an application embeds."""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from mosaic_telemetry.client.builder import EventBuilder
from mosaic_telemetry.client.capture import captured
from mosaic_telemetry.client.config import ResolvedConfig, TelemetryConfig, resolve_config
from mosaic_telemetry.client.errors import EventDroppedError
from mosaic_telemetry.client.queue import Buffer, EventQueue
from mosaic_telemetry.client.reporting import Reporter
from mosaic_telemetry.client.stats import Counters, Stats
from mosaic_telemetry.client.tasks import Task
from mosaic_telemetry.schema import FieldError, TaskCompletionEvent, ValidationError
from mosaic_telemetry.schema.errors import short_repr

if TYPE_CHECKING:
    from mosaic_telemetry.client.predictions import Predictions
    from mosaic_telemetry.client.submitter import BatchSubmitter
    from mosaic_telemetry.client.worker import FlushRequest, Worker
    from mosaic_telemetry.schema import PredictionQuery, PredictionResponse

__all__ = ["TelemetryClient"]

_STOP_TIMEOUT = 30.0
EXIT_TIMEOUT = 0.4
"""Seconds that the exit of a process waits for the delivery of what is left; with what surrounds it, the exit takes half a second longer at most."""


class TelemetryClient:
    """Reports finished tasks to a server, and keeps its predictions at hand.

    Making one starts no thread and opens no socket or file. `track` queues; sending begins with `start`, `flush` or `stop`.
    None of the methods raises for what a server, a network or a caller's value does: every problem goes to `on_error`, to
    `stats` and, at most once a minute, to the logger `mosaic_telemetry`.

        with TelemetryClient(config) as client:
            client.track(client.event_builder.build(…))

    Args:
        config: the settings.
    """

    def __init__(self, config: TelemetryConfig | ResolvedConfig) -> None:
        self.config = resolve_config(config)
        self.event_builder = EventBuilder(self.config)
        self._counters = Counters()
        self._report = Reporter(self.config.on_error, self._counters)
        self._queue = _new_queue(self.config, self._report, self._give_up)
        self._predictions: Predictions | None = None
        self._worker: Worker | None = None
        self._lock = threading.RLock()
        self._overflowing = False
        self._started = False
        self._kept = False  # whether it is among the unfinished
        self._pid = os.getpid()
        _clients.add(self)

    # --- reporting -------------------------------------------------------------------------------------------------

    def track(self, event: TaskCompletionEvent | Any) -> None:
        """Queue an event. Never raises and never waits for the network; an event that is none is reported and left out."""
        try:
            if not self.config.enabled:
                return
            if not isinstance(event, TaskCompletionEvent):  # a caller without a type checker may pass anything
                self._bad_value("event", event, "a TaskCompletionEvent (client.event_builder.build makes one)")
                return
            if captured(event):
                return
            if self._pid != os.getpid():
                self._after_fork()
            given_up = self._queue.enqueue(event)
            if given_up:
                self._overflow(given_up)
            else:
                self._overflowing = False
            worker = self._worker
            if worker is None or not self._kept:
                self._wake_up()
            elif not worker.signalled and self._started and self._queue.size >= self.config.batch_size:
                worker.batch_waits()
        except Exception as error:  # noqa: BLE001 - reporting must never break what it reports on
            self._give_up(1, f"it cannot be queued: {short_repr(error)}")

    def task(self, **fields: Any) -> Task:
        """A task to be tracked: `with client.task(task_type=…, model=…) as task:`, `async with`, or a decorator.

        Args:
            **fields: fields of the event that are known at the start; `model` is needed. The others are `unknown` (task type,
                provider), `medium` (complexity), `custom` (harness) and 0 (estimates) unless given.
        """
        return Task(self.event_builder, self._track_built, self._report, fields)

    def flush(self, timeout: float | None = None) -> bool:
        """Send what is queued now, at once, whatever happened before; only a running `Retry-After` holds it back.

        Args:
            timeout: seconds to wait at most; 30 without it.

        Returns:
            Whether nothing is left to send. False when time ran out or the server did not take it: the rest stays queued.
        """
        return self._flush(_STOP_TIMEOUT if timeout is None else timeout)

    # --- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to send in the background: every `submit_interval`, and whenever a full batch waits. May be called again."""
        try:
            self._notice_fork()
            if self.config.enabled:
                self._started = True
                self._ensure_worker().start()
        except Exception as error:  # noqa: BLE001 - see track
            self._report(error)

    def stop(self, timeout: float | None = None) -> bool:
        """Send what is left and end the background thread. May be called again, and without `start`.

        Args:
            timeout: seconds to wait at most; 30 without it.

        Returns:
            Whether nothing is left to send.
        """
        self._end()
        return self._flush(_STOP_TIMEOUT if timeout is None else timeout)

    @property
    def is_running(self) -> bool:
        """Whether events are sent in the background."""
        return self._started

    @property
    def queue_size(self) -> int:
        """Events that wait now."""
        return self._queue.size

    @property
    def stats(self) -> Stats:
        """What became of the events so far."""
        return self._counters.snapshot(self._queue.size)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # --- predictions -----------------------------------------------------------------------------------------------

    def get_prediction(self, query: PredictionQuery) -> PredictionResponse | None:
        """The prediction from the cache, or None where it is not there or too old. Never waits for the network."""
        try:
            return self._forecasts.get(query)
        except Exception as error:  # noqa: BLE001 - see track
            self._report(error)
            return None

    def refresh_predictions(self, queries: Iterable[PredictionQuery]) -> bool:
        """Fetch predictions into the cache; waits for the server. More than 50 queries go in several requests.

        Returns:
            Whether all were fetched. What went wrong is reported, and the cache keeps what it had.
        """
        try:
            return self.config.enabled and not self.config.dry_run and self._forecasts.refresh(queries)
        except Exception as error:  # noqa: BLE001 - see track
            self._report(error)
            return False

    def predict(self, query: PredictionQuery | Any, timeout: float = 1.0) -> PredictionResponse | None:
        """The prediction from the cache, or else from the server within `timeout` seconds, or None. Never raises."""
        try:
            return self._forecasts.within(query, timeout)
        except Exception as error:  # noqa: BLE001 - see track
            self._report(error)
            return None

    # --- asyncio ---------------------------------------------------------------------------------------------------

    async def aflush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the same signature as flush
        """`flush` for asyncio: the event loop is never blocked."""
        return await self._aflush(_STOP_TIMEOUT if timeout is None else timeout)

    async def astop(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the same signature as stop
        """`stop` for asyncio: the event loop is never blocked."""
        self._end()
        return await self._aflush(_STOP_TIMEOUT if timeout is None else timeout)

    async def arefresh_predictions(self, queries: Iterable[PredictionQuery]) -> bool:
        """`refresh_predictions` for asyncio: the event loop is never blocked."""
        import asyncio

        return await asyncio.to_thread(self.refresh_predictions, queries)

    async def apredict(self, query: PredictionQuery, timeout: float = 1.0) -> PredictionResponse | None:  # noqa: ASYNC109 - the same signature as predict
        """`predict` for asyncio: the event loop is never blocked."""
        import asyncio

        return await asyncio.to_thread(self.predict, query, timeout)

    async def __aenter__(self) -> Self:
        if self._worker is None:
            import asyncio

            await asyncio.to_thread(self.start)  # what sends is imported first, which takes tens of milliseconds
        else:
            self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.astop()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _flush(self, timeout: float) -> bool:
        try:
            end = time.monotonic() + _seconds(timeout)
            request = self._request_flush(end)
            if request is None:
                return self._settled()
            if _holds_a_lock():
                # Called by on_error in the very thread that is to send, or by the handler of a signal that came amid `track`:
                # the sender gets on when whoever calls has returned.
                return False
            return request.wait(end - time.monotonic()) and self._settled()
        except Exception as error:  # noqa: BLE001 - see track
            self._report(error)
            return False

    async def _aflush(self, timeout: float) -> bool:  # noqa: ASYNC109 - as aflush
        import asyncio

        try:
            seconds = _seconds(timeout)
            end = time.monotonic() + seconds
            async with asyncio.timeout(seconds):
                # The first time, what sends is imported, and what others left is read: too much for a loop to wait for.
                request = self._request_flush(end) if self._worker is not None else await asyncio.to_thread(self._request_flush, end)
                if request is None:
                    return self._settled()
                loop = asyncio.get_running_loop()
                done = asyncio.Event()
                request.on_done(lambda: _wake(loop, done))
                await done.wait()
        except TimeoutError:
            return False
        except Exception as error:  # noqa: BLE001 - see track
            self._report(error)
            return False
        else:
            return request.delivered and self._settled()

    def _request_flush(self, end: float) -> FlushRequest | None:
        """Ask the sender to send all; None where nothing waits."""
        self._notice_fork()
        if not self.config.enabled or (self._queue.size == 0 and self._worker is None and not self._queue.recover()):
            return None
        from mosaic_telemetry.client.worker import FlushRequest

        request = FlushRequest(end)
        self._ensure_worker().flush(request)
        return request

    def _end(self) -> None:
        self._notice_fork()
        self._started = False
        worker = self._worker
        if worker is not None:
            worker.stop()

    def _settled(self) -> bool:
        """All is delivered: nothing is left to do at exit, unless more comes. Always true."""
        if not self._started:
            with self._lock:
                self._kept = False
                _unfinished.discard(self)
                if self._queue.size:  # tracked meanwhile
                    _remember(self)
        return True

    def _notice_fork(self) -> None:
        """Someone may have forked without running Python's hooks, such as uWSGI: what waits is the parent's then."""
        if self._pid != os.getpid():
            self._after_fork()

    @property
    def _forecasts(self) -> Predictions:
        with self._lock:
            if self._predictions is None:
                from mosaic_telemetry.client.predictions import Predictions

                self._predictions = Predictions(self.config, self._report)
            return self._predictions

    def _new_submitter(self) -> BatchSubmitter:
        from mosaic_telemetry.client.submitter import BatchSubmitter

        return BatchSubmitter(self.config)

    def _ensure_worker(self) -> Worker:
        with self._lock:
            if self._worker is None:
                from mosaic_telemetry.client.delivery import Delivery
                from mosaic_telemetry.client.worker import Worker

                delivery = Delivery(self.config, self._queue, self._new_submitter(), self._counters, self._report)
                self._worker = Worker(self.config, self._queue, delivery, self._counters)
        _remember(self)
        return self._worker

    def _wake_up(self) -> None:
        """Something waits and nobody sends: see that it goes at exit, or that a started client's forked child sends as well."""
        _remember(self)
        if self._started:
            self._ensure_worker().start()

    def _after_fork(self) -> None:
        """In a forked child: the parent delivers what waited; locks that another thread held are made anew."""
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._counters.after_fork()
        self._report.after_fork()
        if self._predictions is not None:
            self._predictions.after_fork()
        self._queue.after_fork()
        self._worker = None
        self._kept = False
        _unfinished.discard(self)

    def _give_up(self, count: int, reason: str) -> None:
        self._counters.add("dropped", count)
        self._report(EventDroppedError(count, reason))

    def __reduce__(self) -> tuple[Any, ...]:
        """A client travels as its configuration; an `on_error` that cannot travel stays behind."""
        import pickle
        from dataclasses import replace

        config = self.config
        try:
            pickle.dumps(config.on_error)
        except Exception:  # noqa: BLE001 - a foreign object may refuse in any way
            config = replace(config, on_error=None)
        return type(self), (config,)

    def _overflow(self, count: int) -> None:
        """Count events that had no room; report the first of each time that the queue runs over."""
        self._counters.add("dropped", count)
        if not self._overflowing:
            self._overflowing = True
            self._report(EventDroppedError(count, f"the queue is full ({self.config.max_queue_size} events); older events go"))

    def _bad_value(self, name: str, value: object, bound: str) -> None:
        self._report(ValidationError("mosaic_telemetry", [FieldError(name, value, bound)]))

    def _track_built(self, build: Callable[[], TaskCompletionEvent]) -> None:
        if not self.config.enabled:
            return
        try:
            event = build()
        except Exception as error:  # noqa: BLE001 - see track
            self._counters.add("dropped")
            self._report(error)
        else:
            self.track(event)


def _new_queue(config: ResolvedConfig, report: Callable[[Exception], None], give_up: Callable[[int, str], None]) -> Buffer:
    """Where events wait: on disk as well, unless the configuration says otherwise or none are to be sent."""
    if config.spool_dir is None or config.dry_run or not config.enabled:
        return EventQueue(config.max_queue_size)
    from mosaic_telemetry.client.spool import SpoolQueue

    return SpoolQueue(config.max_queue_size, (config.spool_dir, config.server_url, config.instance_id), report, give_up)


def _seconds(timeout: Any) -> float:
    """A timeout as a plain number; raises ValueError or TypeError for what is none, before the sender can stumble over it."""
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or math.isnan(seconds := float(timeout)):
        raise ValueError(f"timeout: {short_repr(timeout)} is not a number of seconds")
    return seconds


def _holds_a_lock() -> bool:
    """Whether this thread is inside one of our own modules that hold locks, further down in its stack."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the interpreter's public way, underscore and all
    while frame is not None:
        if frame.f_globals.get("__name__") in _LOCKING:
            return True
        frame = frame.f_back
    return False


_LOCKING = frozenset(f"mosaic_telemetry.client.{name}" for name in ("queue", "segment", "spool", "stats", "worker"))


def _wake(loop: Any, done: Any) -> None:
    try:
        loop.call_soon_threadsafe(done.set)
    except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
        return


_clients: weakref.WeakSet[TelemetryClient] = weakref.WeakSet()
_unfinished: set[TelemetryClient] = set()
"""Clients with something to deliver: kept alive, also where their owner forgets them, until they have."""


def _remember(client: TelemetryClient) -> None:
    if client not in _unfinished:
        if not _unfinished:
            atexit.unregister(_at_exit)
            atexit.register(_at_exit)
        _unfinished.add(client)
    client._kept = True  # noqa: SLF001 - its own module


def _at_exit() -> None:
    """Deliver what waits, all clients at once, within `EXIT_TIMEOUT` in all; what is left then is in the spool."""
    end = time.monotonic() + EXIT_TIMEOUT
    clients = list(_unfinished)
    requests = []
    for client in clients:
        try:
            client._end()  # noqa: SLF001 - its own module
            requests.append(client._request_flush(end))  # noqa: SLF001 - its own module
        except Exception as error:  # noqa: BLE001 - one client's trouble is not the others', nor the interpreter's
            client._report(error)  # noqa: SLF001 - its own module
    for request in requests:
        if request is not None:
            request.wait(end - time.monotonic())


def _in_child() -> None:
    for client in list(_clients):
        client._after_fork()  # noqa: SLF001 - its own module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
