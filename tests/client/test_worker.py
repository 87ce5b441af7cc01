"""Whatever goes wrong inside: the sender's thread goes on, nothing that was taken is lost, and nobody waits in vain."""

import threading

import pytest
from support.waiting import wait_for

from mosaic_telemetry import EventQueue, resolve_config
from mosaic_telemetry.client.delivery import Delivery
from mosaic_telemetry.client.retry import Hold
from mosaic_telemetry.client.stats import Counters
from mosaic_telemetry.client.submitter import BatchSubmitter
from mosaic_telemetry.client.worker import FlushRequest, Worker


class Flawed(EventQueue):
    """A queue one of whose steps fails a few times, as any code of ours might where memory runs out."""

    __slots__ = ("calls", "fails", "step")

    def __init__(self, step, fails=2):
        self.step, self.fails, self.calls = step, fails, 0
        super().__init__()

    def _stumble(self, step):
        if step == self.step and threading.current_thread().name == "mosaic-telemetry":
            self.calls += 1
            if self.calls <= self.fails:
                raise MemoryError(step)

    def recover(self):
        self._stumble("recover")
        return super().recover()

    def drain(self, count=None):
        self._stumble("drain")
        return super().drain(count)

    def settle(self, events):
        self._stumble("settle")
        super().settle(events)

    def close(self):
        self._stumble("close")
        super().close()

    @property
    def size(self):
        self._stumble("size")
        return super().size


@pytest.fixture
def new_worker(config, errors):
    made = []

    def make(queue, **settings):
        resolved = resolve_config(config(**settings))
        delivery = Delivery(resolved, queue, BatchSubmitter(resolved), Counters(), errors.append)
        made.append(Worker(resolved, queue, delivery, Hold()))
        return made[-1]

    yield make
    for worker in made:
        worker.stop()


@pytest.mark.parametrize("step", ["recover", "drain", "settle", "size"])
def test_the_sender_survives_what_nobody_thought_of(new_worker, new_event, server, errors, step):
    queue = Flawed(step)
    worker = new_worker(queue, submit_interval=0.05)
    events = [new_event() for _ in range(3)]
    for event in events:
        queue.enqueue(event)
    worker.start()
    wait_for(lambda: set(server.events) == {event.event_id for event in events}, 30, "the delivery after all")
    wait_for(lambda: len(errors) >= 2 and len(queue) == 0, what="an empty queue, and word of what happened")
    assert {str(error) for error in errors} == {step}
    assert worker.is_running


@pytest.mark.parametrize("step", ["recover", "drain", "settle", "size", "close"])
def test_who_waits_for_a_flush_is_told(new_worker, new_event, server, step):
    queue = Flawed(step, fails=1)
    event = new_event()
    queue.enqueue(event)
    worker = new_worker(queue)
    for _ in range(2):
        request = FlushRequest(float("inf"))
        worker.flush(request)
        done = request.wait(20)
    assert done
    assert list(server.events) == [event.event_id]
