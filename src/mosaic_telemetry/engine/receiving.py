"""Taking events in: what is looked at, refused, let wait, stored and counted, from a batch's body to its verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from mosaic_telemetry.engine.ingest import Judged, judge, judge_body
from mosaic_telemetry.engine.intake import ACCEPTED, DUPLICATE, INVALID, Intake
from mosaic_telemetry.engine.observing import Observer, Unobserved
from mosaic_telemetry.engine.room import Room
from mosaic_telemetry.engine.standing import Admission
from mosaic_telemetry.engine.store import Instance, Store, StoredEvent
from mosaic_telemetry.schema import MAX_BATCH_EVENTS, BatchEventResponse, TaskCompletionEvent, encode_event

__all__ = ["Receiver", "Submission"]

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch on its way into the store.

    Attributes:
        stored: resolves when the batch's events are durable; raises `DatabaseError`.
    """

    stored: Future[list[bool]]
    _judged: Judged

    def answer(self, new: Sequence[bool]) -> BatchEventResponse:
        """The verdicts on the events, from what `stored` resolved with."""
        return self._judged.answer(new)

    def encode(self, new: Sequence[bool]) -> bytes:
        """The same as JSON."""
        return self._judged.encode(new)


class Receiver:
    """Takes events in. Safe to use from several threads.

    Args:
        store: where they are kept.
        now_ms: the time, in milliseconds since 1970.
        admission: what counts on a public server; None where everything does.
        written: called, from any thread, whenever events were stored.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int], admission: Admission | None, written: Callable[[], None]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._admission = admission
        self._written = written
        self._room = Room()
        self._observer: Observer = Unobserved()
        self.intake = Intake(store, now_ms)

    def observe(self, observer: Observer) -> None:
        """Tell this one, from now on, what is done."""
        self._observer = observer

    def check_room(self) -> None:
        """Raise `OverloadedError` if `submit` would, whatever it was given.

        There must be room for the largest batch: else those of odd sizes would be read and judged one after the other, only to be refused then.
        """
        self._room.check(MAX_BATCH_EVENTS)

    def submit(self, instance: Instance, body: bytes) -> Submission:
        """Take the body of `POST /v1/events/batch`; does not wait for the store.

        Raises:
            OverloadedError: too many events wait for the store already.
            BrokenJsonError: the body is no JSON.
            FormError: it is no batch of 1 to 100 events.
            WrongInstanceError: an event names another instance; nothing of the batch is stored.
        """
        self.check_room()
        judged = judge_body(body, instance.instance_id)
        stored: Future[list[bool]] = Future()
        if judged.events:
            stored = self._insert(instance, judged.events)
        else:
            stored.set_result([])

        def count(done: Future[list[bool]]) -> None:
            if not done.cancelled() and done.exception() is None:
                self._count(instance, judged, done.result())

        stored.add_done_callback(count)
        return Submission(stored, judged)

    def ingest(self, instance: Instance, events: Sequence[TaskCompletionEvent]) -> BatchEventResponse:
        """Store any number of events; returns when they are durable, with one verdict per event in their order.

        Raises:
            WrongInstanceError: an event names another instance; nothing is stored.
            DatabaseError: the database failed; some of the events may be stored, and sending all again does no harm.
            OverloadedError: too many events of other threads wait already; as above.
            ValueError: an event holds a value that has no JSON form.
        """
        judged = judge([encode_event(event) for event in events], instance.instance_id)
        new: list[bool] = []
        for start in range(0, len(judged.events), _CHUNK):
            new += self._insert(instance, judged.events[start : start + _CHUNK]).result()
        self._count(instance, judged, new)
        return judged.answer(new)

    def _insert(self, instance: Instance, events: Sequence[StoredEvent]) -> Future[list[bool]]:
        now_ms = self._now_ms()
        if self._admission:
            events = self._admission.judge(instance, now_ms, events)
        self._room.take(len(events))
        start = time.perf_counter()
        stored = self._store.insert(instance.number, now_ms, events)
        self._observer.handed_over(len(events))

        def done(_: Future[list[bool]]) -> None:
            self._room.give_back(len(events))
            self._written()
            self._observer.stored(len(events), time.perf_counter() - start)

        stored.add_done_callback(done)
        return stored

    def _count(self, instance: Instance, judged: Judged, new: Sequence[bool]) -> None:
        self.intake.count(instance.number, judged, new)
        for result, events in ((ACCEPTED, sum(new)), (DUPLICATE, len(new) - sum(new)), (INVALID, len(judged.errors))):
            self._observer.events(result, events)
