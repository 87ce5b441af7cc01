"""Laws of the bounded queue, against a model that is a plain list."""

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.events import fields

from mosaic_telemetry import EventQueue, TaskCompletionEvent
from mosaic_telemetry.schema import from_dict

ACCESS = {"instance_id": "0190b2c4-7d3f-4a51-9c2e-3f5a6b7c8d9e", "timestamp": "2026-02-07T10:00:00.000Z"}


def event(number):
    return from_dict(TaskCompletionEvent, {**ACCESS, **fields(), "event_id": f"0190b2c4-7d3f-7a51-9c2e-{number:012x}"})


class Model(RuleBasedStateMachine):
    """Whatever is done to a queue, it holds what a list held that was treated by the contract's words."""

    @initialize(size=st.integers(0, 7))
    def begin(self, size):
        self.max_size = size
        self.queue = EventQueue(size)
        self.model = []
        self.out = []
        self.number = 0

    @rule()
    def enqueue(self):
        self.number += 1
        one = event(self.number)
        lost = self.queue.enqueue(one)
        self.model.append(one)
        while len(self.model) > self.max_size:
            self.model.pop(0)
            lost -= 1
        assert lost == 0, "what went was not what was said to go"

    @rule(count=st.none() | st.integers(-1, 9))
    def drain(self, count):
        taken = self.queue.drain(count)
        take = len(self.model) if count is None else max(count, 0)
        assert taken == self.model[:take]
        del self.model[:take]
        self.out += taken

    @rule(count=st.integers(0, 9))
    def prepend(self, count):
        back, self.out = self.out[:count], self.out[count:]
        room = self.max_size - len(self.model)
        assert self.queue.prepend(back) == max(len(back) - room, 0)
        self.model[:0] = back[:room]

    @rule()
    def settle(self):
        self.queue.settle(self.out)
        self.out = []

    @invariant()
    def as_the_model(self):
        assert self.queue.size == len(self.queue) == len(self.model) <= self.max_size
        assert self.queue.is_empty is (not self.model)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_the_oldest_goes_when_it_is_full():
    queue = EventQueue(3)
    events = [event(number) for number in range(5)]
    assert [queue.enqueue(one) for one in events] == [0, 0, 0, 1, 1]
    assert queue.drain(10) == events[2:]


def test_a_failed_batch_goes_back_to_the_front():
    queue = EventQueue(10)
    events = [event(number) for number in range(5)]
    for one in events:
        queue.enqueue(one)
    batch = queue.drain(2)
    assert queue.prepend(batch) == 0
    assert queue.drain(10) == events


def test_of_a_failed_batch_without_room_the_first_stay_and_never_a_newer_event_goes():
    queue = EventQueue(4)
    old, new = [event(number) for number in range(4)], [event(number) for number in range(10, 13)]
    for one in old:
        queue.enqueue(one)
    batch = queue.drain(4)
    for one in new:
        queue.enqueue(one)
    assert queue.prepend(batch) == 3
    assert queue.drain(10) == [old[0], *new]
    for one in (*new, event(20)):
        queue.enqueue(one)
    assert queue.prepend(batch) == 4
    assert queue.drain(10) == [*new, event(20)]


def test_a_queue_of_no_size_holds_nothing():
    queue = EventQueue(0)
    assert queue.enqueue(event(1)) == 1
    assert queue.prepend([event(2)]) == 1
    assert queue.is_empty
    assert queue.drain(5) == []


@pytest.mark.parametrize("size", [-1, 1.5, True, None, "5"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="max_size"):
        EventQueue(size)


def test_eight_threads_lose_nothing_and_keep_each_ones_order():
    queue = EventQueue(100_000)
    each, taken = 500, []
    events = [[event(thread * 1000 + number) for number in range(each)] for thread in range(8)]
    begin, done = threading.Barrier(9), threading.Event()

    def put(mine):
        begin.wait()
        for one in mine:
            assert queue.enqueue(one) == 0

    def take():
        begin.wait()
        while not (done.is_set() and queue.is_empty):
            batch = queue.drain(7)
            if len(batch) == 7:  # now and then a batch fails
                queue.prepend(batch)
                batch = queue.drain(5)
            taken.extend(batch)

    threads = [threading.Thread(target=put, args=(mine,)) for mine in events]
    taker = threading.Thread(target=take)
    for thread in (*threads, taker):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    taker.join()
    assert len(taken) == 8 * each
    for mine in events:
        ids = {one.event_id for one in mine}
        assert [one for one in taken if one.event_id in ids] == mine


def test_eight_threads_never_exceed_the_bound_and_every_loss_is_counted():
    queue = EventQueue(50)
    lost = [0] * 8
    one = event(1)

    def put(index):
        for _ in range(1000):
            lost[index] += queue.enqueue(one)
            assert queue.size <= 50

    threads = [threading.Thread(target=put, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(lost) + queue.size == 8000
    assert queue.size == 50
