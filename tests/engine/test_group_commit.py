"""Batches that share a transaction: none is left waiting, whatever becomes of the others."""

import asyncio
import uuid
from concurrent.futures import Future, wait
from contextlib import asynccontextmanager

import pytest

from mosaic_telemetry.engine import DatabaseError, open_engine
from mosaic_telemetry.engine.ingest import judge
from mosaic_telemetry.engine.store.postgres.events import Batch
from mosaic_telemetry.engine.store.postgres.finding import KeyFinder
from mosaic_telemetry.engine.store.postgres.inserting import Inserter
from mosaic_telemetry.schema import TaskCompletionEvent, encode_event, from_dict

NOW_MS = 1_763_900_000_000


class GatedLink:
    """A link whose connections fail all at once when the gate opens."""

    def __init__(self):
        self.opened = asyncio.Event()
        self.asked = asyncio.Semaphore(0)

    def start(self, work):
        return asyncio.run_coroutine_threadsafe(work, asyncio.get_running_loop())

    def worded(self, error):
        return error

    @asynccontextmanager
    async def connection(self):
        self.asked.release()
        await self.opened.wait()
        raise ConnectionError
        yield


@pytest.fixture
def batch(make_event):
    """Makes what is to be stored of one new event."""

    def make(instance):
        event = encode_event(from_dict(TaskCompletionEvent, make_event(instance.instance_id, event_id=str(uuid.uuid4()))))
        return judge([event], instance.instance_id).events

    return make


def test_batches_that_nobody_waits_for_do_not_hold_up_the_others(house, batch):
    store = house.engine._store
    futures = [store.insert(house.instance.number, NOW_MS, batch(house.instance)) for _ in range(50)]
    for future in futures[::2]:
        future.cancel()
    _, late = wait(futures, 20)
    assert not late
    assert all(future.result() == [True] for future in futures[1::2])
    assert store.insert(house.instance.number, NOW_MS, batch(house.instance)).result(20) == [True]


def test_a_batch_that_comes_just_when_all_lanes_end_is_written():
    async def scenario():
        link = GatedLink()
        inserter = Inserter(link, None)
        given = [inserter.insert(Batch(1, NOW_MS, []))]
        await link.asked.acquire()
        given.append(inserter.insert(Batch(1, NOW_MS, [])))
        await link.asked.acquire()
        given.append(inserter.insert(Batch(1, NOW_MS, [])))  # looks for a lane in the very turn of the loop after both end
        link.opened.set()
        return await asyncio.wait_for(asyncio.gather(*map(asyncio.wrap_future, given), return_exceptions=True), 20)

    assert [type(result) for result in asyncio.run(scenario())] == [ConnectionError] * 3


def test_a_batch_that_comes_after_the_end_is_told_so(postgres, batch):
    url = postgres.database()
    with open_engine(url) as engine:
        instance = engine.authenticate(engine.create_instance().api_key)
        store = engine._store
    for _ in range(3):
        with pytest.raises(DatabaseError, match="is closed"):
            store.insert(instance.number, NOW_MS, batch(instance)).result(20)
    postgres.drop(url)


class AskedLink:
    """A link that answers when the test does."""

    def __init__(self):
        self.asked = []

    def use(self, _use):
        self.asked.append(Future())
        return self.asked[-1]


def test_keys_that_are_asked_for_during_a_look_up_share_the_next_and_hear_nothing_older():
    """So that one which was revoked before it was asked for is never let in by a query that began before that."""
    link = AskedLink()
    finder = KeyFinder(link)
    first, second, same, gone = finder.find(b"a"), finder.find(b"b"), finder.find(b"a"), finder.find(b"c")
    assert len(link.asked) == 1
    assert gone.cancel()
    link.asked[0].set_result({b"a": "before"})
    assert first.result(0) == "before"
    assert not same.done()
    assert len(link.asked) == 2
    link.asked[1].set_result({b"b": "two"})
    assert [second.result(0), same.result(0)] == ["two", None]
    failing = finder.find(b"a")
    link.asked[2].set_exception(DatabaseError("away"))
    with pytest.raises(DatabaseError, match="away"):
        failing.result(0)
    back = finder.find(b"a")
    link.asked[3].set_result({b"a": "again"})
    assert back.result(0) == "again"
