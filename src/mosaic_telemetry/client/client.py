"""The client that an application embeds."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mosaic_telemetry.client.aio import AsyncForms
from mosaic_telemetry.client.builder import EventBuilder
from mosaic_telemetry.client.capture import captured, captures
from mosaic_telemetry.client.config import ResolvedConfig, TelemetryConfig, do_not_track, resolve_config
from mosaic_telemetry.client.errors import EventDroppedError
from mosaic_telemetry.client.exits import forget, holds_a_lock, register, remember
from mosaic_telemetry.client.queue import Buffer, EventQueue
from mosaic_telemetry.client.reporting import Reporter
from mosaic_telemetry.client.retry import Hold
from mosaic_telemetry.client.stats import Counters, Stats
from mosaic_telemetry.client.tasks import Task
from mosaic_telemetry.schema import FieldError, TaskCompletionEvent, ValidationError
from mosaic_telemetry.schema.errors import short_repr

if TYPE_CHECKING:
    from mosaic_telemetry.client.predictions import Predictions
    from mosaic_telemetry.client.worker import FlushRequest, Worker
    from mosaic_telemetry.schema import PredictionQuery, PredictionResponse

__all__ = ["TelemetryClient"]

_STOP_TIMEOUT = 30.0


class TelemetryClient(AsyncForms):
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
        self._hold = Hold()
        self._queue = _new_queue(self.config, self._report, self._give_up)
        self._predictions: Predictions | None = None
        self._worker: Worker | None = None
        self._lock = threading.RLock()
        self._overflowing = False
        self._started = False
        self._kept = False  # whether it is remembered for the exit
        self._pid = os.getpid()
        register(self)

    # --- reporting -------------------------------------------------------------------------------------------------

    def track(self, event: TaskCompletionEvent | Any) -> None:
        """Queue an event. Never raises and never waits for the network; an event that is none is reported and left out."""
        try:
            if not self.config.enabled and not self._is_captured:
                return
            if not isinstance(event, TaskCompletionEvent):  # a caller without a type checker may pass anything
                self._bad_value("event", event, "a TaskCompletionEvent (client.event_builder.build makes one)")
                return
            if captured(event) or not self.config.enabled:
                return
            if self._pid != os.getpid():
                self.after_fork()
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
        return self._flush(timeout)

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
        return self._flush(timeout)

    @property
    def is_running(self) -> bool:
        """Whether events are sent in the background."""
        return self._started

    @property
    def queue_size(self) -> int:
        """Events that wait now."""
        self._notice_fork()
        return self._queue.size

    @property
    def stats(self) -> Stats:
        """What became of the events so far; after a fork, of those of this process."""
        self._notice_fork()
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

    # --- inside ----------------------------------------------------------------------------------------------------

    def _flush(self, timeout: float | None) -> bool:
        try:
            end = time.monotonic() + self._seconds(timeout)
            request = self._request_flush(end)
            if request is None:
                return self._settled()
            if holds_a_lock():
                return False
            return request.wait(end - time.monotonic()) and self._settled()
        except Exception as error:  # noqa: BLE001 - see track
            self._report(error)
            return False

    def _request_flush(self, end: float) -> FlushRequest | None:
        """Ask the sender to send all; None where nothing waits."""
        self._notice_fork()
        if not self.config.enabled:
            return None
        if self._queue.size == 0 and self._worker is None and not self._queue.recover():
            self._queue.close()
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
                forget(self)
                if self._queue.size:  # tracked meanwhile
                    self._remember()
        return True

    def _notice_fork(self) -> None:
        """Someone may have forked without running Python's hooks, such as uWSGI: what waits is the parent's then."""
        if self._pid != os.getpid():
            self.after_fork()

    @property
    def _is_captured(self) -> bool:
        """Whether a test captures events that only DO_NOT_TRACK keeps from being reported: they go nowhere anyway."""
        return bool(captures) and do_not_track(os.environ)

    @property
    def _sends(self) -> bool:
        return self._worker is not None

    def _seconds(self, timeout: Any) -> float:
        """A timeout as a plain number; raises ValueError for what is none, before the sender can stumble over it."""
        if timeout is None:
            return _STOP_TIMEOUT
        if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or math.isnan(seconds := float(timeout)):
            raise ValueError(f"timeout: {short_repr(timeout)} is not a number of seconds")
        return seconds

    @property
    def _forecasts(self) -> Predictions:
        with self._lock:
            if self._predictions is None:
                from mosaic_telemetry.client.predictions import Predictions

                self._predictions = Predictions(self.config, self._report, self._hold)
            return self._predictions

    def _ensure_worker(self) -> Worker:
        with self._lock:
            if self._worker is None:
                from mosaic_telemetry.client.delivery import Delivery
                from mosaic_telemetry.client.submitter import BatchSubmitter
                from mosaic_telemetry.client.worker import Worker

                delivery = Delivery(self.config, self._queue, BatchSubmitter(self.config), self._counters, self._report)
                self._worker = Worker(self.config, self._queue, delivery, self._hold)
        self._remember()
        return self._worker

    def _remember(self) -> None:
        remember(self)
        self._kept = True

    def _wake_up(self) -> None:
        """Something waits and nobody sends: see that it goes at exit, or that a started client's forked child sends as well."""
        self._remember()
        if self._started:
            self._ensure_worker().start()

    def after_fork(self) -> None:
        """In a forked child, called by itself: the parent delivers what waited; locks that another thread held are made anew."""
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._counters.after_fork()
        self._report.after_fork()
        if self._predictions is not None:
            self._predictions.after_fork()
        self._queue.after_fork()
        self._worker = None
        self._kept = False
        self._overflowing = False
        forget(self)

    def deliver_at_exit(self, end: float) -> FlushRequest | None:
        """Begin to send what is left, when the process ends; called by itself. `end` is on the monotonic clock."""
        try:
            self._end()
            return self._request_flush(end)
        except Exception as error:  # noqa: BLE001 - see track
            self._report(error)
            return None

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
            self._report(EventDroppedError(count, f"{self._queue.bound}; older events go"))

    def _bad_value(self, name: str, value: object, bound: str) -> None:
        self._report(ValidationError("mosaic_telemetry", [FieldError(name, value, bound)]))

    def _track_built(self, build: Callable[[], TaskCompletionEvent]) -> None:
        if not self.config.enabled and not self._is_captured:
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
