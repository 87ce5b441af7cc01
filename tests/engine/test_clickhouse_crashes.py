"""Each event counts once on ClickHouse, and none that was acknowledged is lost: whatever is killed at which step, whoever comes between."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from support import clickhouse_steps
from support.clickhouse import name_in
from support.clickhouse_steps import open_stepping

from mosaic_telemetry.engine.keeping import Keeper
from mosaic_telemetry.engine.recount import differences
from mosaic_telemetry.engine.store import StoredEvent
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

SOAK = bool(os.environ.get("MOSAIC_TELEMETRY_SOAK"))
EVERY = 1 if SOAK else 6
"""Of the steps, each so manieth is one at which a process is killed."""
MOMENTS = 100 if SOAK else 3
ROUNDS = 30 if SOAK else 2
NUMBERS = count(1)


class Reports:
    """Events of one instance, each with a number of its own by which it is known again."""

    def __init__(self, store):
        self.instance = store.create_instance(uuid.uuid4(), "test", 0).result().number
        self.sent = []

    def send(self, store, new, again=0):
        """So many new events as a block, and as another one so many that were sent before; all are acknowledged."""
        now_ms = int(time.time() * 1000)
        fresh = []
        for number in [next(NUMBERS) for _ in range(new)]:
            event = from_dict(TaskCompletionEvent, {**EXAMPLES["TaskCompletionEvent"], "actual_input_tokens": number})
            fresh.append(StoredEvent(uuid.uuid4().bytes, now_ms, event))
        for events in (fresh, self.sent[:again]):
            if events:
                store.insert(self.instance, now_ms, events).result()
        self.sent += fresh

    def forget(self):
        self.sent = []


def check(store, *reports):
    """What was sent is there, once, and the cells are what a recount gives."""
    Keeper(store).catch_up()
    assert differences(store) == []
    found = sorted((row.instance, row.input_tokens) for row in store.read_events(0, store.horizon(), 10**6))
    assert found == sorted((one.instance, event.fields.actual_input_tokens) for one in reports for event in one.sent)


@pytest.fixture
def url(clickhouse, tmp_path):
    url = clickhouse.database(tmp_path / "accounts.db")
    yield url
    clickhouse.drop(url)


@pytest.fixture
def store(url):
    with closing(open_stepping(url)) as store:
        yield store


@pytest.fixture
def killed(url):
    """Does a work in a process of its own until it is killed: before a step, or after so many seconds; whether it was."""
    words = [sys.executable, str(Path(clickhouse_steps.__file__))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:

        def work(what, instance, step=-1, seconds=-1.0):
            print(url, what, instance, step, seconds, file=program.stdin, flush=True)
            status = int(program.stdout.readline())
            assert status in {0, -signal.SIGKILL, -signal.SIGALRM}
            return status != 0

        yield work
        program.stdin.close()


def steps(work):
    """Kill a work before one step after the other, until it came to its end."""
    step = 0
    while work(step):
        step += EVERY
    return step


@pytest.mark.timeout(600)
def test_counting_that_is_killed_before_any_step_counts_each_event_once(store, killed):
    reports = Reports(store)

    def work(step):
        reports.send(store, 4, again=3)
        was = killed("count", 0, step)
        check(store, reports)
        return was

    assert steps(work) >= 8


@pytest.mark.timeout(600)
def test_an_erasure_that_is_killed_before_any_step_takes_out_what_it_should_and_nothing_else(store, killed):
    staying, leaving = Reports(store), Reports(store)

    def work(step):
        for _ in range(3):  # in turn, so that what goes has gaps
            staying.send(store, 2, again=2)
            leaving.send(store, 2, again=2)
        check(store, staying, leaving)
        leaving.send(store, 1, again=4)  # not settled: as blocks that were settled and not yet swept are not
        was = killed("erase", leaving.instance, step)
        assert differences(store) == []
        Keeper(store).erase(leaving.instance)
        leaving.forget()
        check(store, staying)
        return was

    assert steps(work) > 15


@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["count", "erase"])
def test_a_process_that_is_killed_at_any_moment_counts_each_event_once(store, killed, what):
    chance = random.Random(4)
    staying, leaving = Reports(store), Reports(store)
    for _ in range(MOMENTS):
        staying.send(store, 50, again=20)
        leaving.send(store, 50, again=20)
        killed(what, leaving.instance, seconds=chance.uniform(0, 0.3))
        if what == "erase":
            Keeper(store).erase(leaving.instance)
            leaving.forget()
        check(store, staying, leaving)


def test_what_others_settled_and_deleted_while_a_slice_was_begun_does_not_come_back(url, store):
    staying, leaving = Reports(store), Reports(store)
    staying.send(store, 2)
    leaving.send(store, 3)
    seen = []

    def step(what):
        seen.append(what)
        if seen.count("rows incoming") == 2 and what.startswith("change"):  # it knows what is waiting, and takes numbers for it
            seen.append("rows incoming")
            Keeper(store).erase(leaving.instance)

    with closing(open_stepping(url, step)) as other:
        other.horizon()
        assert seen.count("rows incoming") > 2
        leaving.forget()
        check(other, staying, leaving)


def test_one_who_deletes_slowly_does_no_harm_to_those_who_lost_patience(url, store):
    staying, leaving = Reports(store), Reports(store)
    staying.send(store, 2)
    leaving.send(store, 3)
    again = []

    def step(what):
        if what == "delete incoming" and not again:
            again.append(what)
            assert len(store.read_events(0, store.horizon(), 100)) == 2  # it made the deletion itself
            leaving.send(store, 0, again=3)
            assert len(store.read_events(0, store.horizon(), 100)) == 5

    with closing(open_stepping(url, step)) as slow:
        assert Keeper(slow).erase(leaving.instance) == 3
        assert again
        leaving.send(store, 0, again=3)
        check(store, staying, leaving)


def test_a_slice_is_not_made_while_a_deletion_is_due(url, store):
    staying, leaving = Reports(store), Reports(store)
    leaving.send(store, 3)
    check(store, staying, leaving)
    staying.send(store, 2)
    deleting, settling, erased = threading.Event(), threading.Event(), []

    def slowly(what):
        if what == "delete incoming" and not deleting.is_set():
            deleting.set()
            assert settling.wait(30)

    def pausing(what):
        if what.startswith("change") and not eraser.ident:  # it takes numbers for what came in
            eraser.start()
            assert deleting.wait(30)
        elif what == "rows event_ids":  # it has read what came in, and not yet which of it is known
            settling.set()
            eraser.join(30)

    with closing(open_stepping(url, slowly)) as slow, closing(open_stepping(url, pausing)) as other:
        eraser = threading.Thread(target=lambda: erased.append(Keeper(slow).erase(leaving.instance)))
        other.horizon()
        settling.set()
        eraser.join(30)
    assert erased == [3]
    leaving.forget()
    check(store, staying)


def test_a_number_that_stands_twice_is_one_event(url, store, clickhouse):
    reports = Reports(store)
    reports.send(store, 5)
    store.horizon()
    clickhouse.execute("INSERT INTO events SELECT * FROM events", name_in(url))
    assert clickhouse.execute("SELECT count() FROM events", name_in(url)) == [(10,)]
    check(store, reports)
    assert len(store.read_events(0, 100, 3)) == 2  # at most so many
    assert Keeper(store).erase(reports.instance) == 5
    assert clickhouse.execute("SELECT count() FROM events", name_in(url)) == [(0,)]


def test_a_backlog_of_many_blocks_is_settled_in_statements_that_clickhouse_takes(url, store, clickhouse):
    reports = Reports(store)
    reports.send(store, 1)
    # 8,000 blocks more: as hexadecimals they would be a longer statement than ClickHouse takes.
    copied = "* REPLACE (sipHash128(number) AS block, sipHash128(number % 900) AS event_id)"
    clickhouse.execute(f"INSERT INTO incoming SELECT incoming.{copied} FROM incoming, numbers(8000) AS many", name_in(url))
    assert len(store.read_events(0, store.horizon(), 10_000)) == 901
    with closing(open_stepping(url)) as other:
        assert len(other.read_events(0, other.horizon(), 10_000)) == 901


@pytest.mark.timeout(900)
def test_several_who_count_and_erase_at_once_and_have_no_patience_count_each_event_once(url, store):
    """Each step of each waits for a moment of its own, and none waits for the others as long as they take."""
    chance = random.Random(7)
    reports = [Reports(store) for _ in range(3)]
    failures = []

    def jitter(_):
        time.sleep(chance.expovariate(200))

    def work(mine, *, leaving):
        try:
            with closing(open_stepping(url, jitter, lambda seconds: time.sleep(seconds / 40))) as own:
                keeper = Keeper(own)
                for _ in range(ROUNDS):
                    mine.send(own, 5, again=10)
                    keeper.catch_up()
                    if leaving:
                        keeper.erase(mine.instance)
                        mine.forget()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(one,), kwargs={"leaving": place == 2}) for place, one in enumerate(reports)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
        assert not thread.is_alive()
    assert failures == []
    check(store, *reports)
