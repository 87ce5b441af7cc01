"""A block whose answer was lost is sent again, and stored once.

What the embedded engine can show is the single server's part: it knows the tokens of the last inserts by the table's setting
`non_replicated_deduplication_window`. Replicated tables keep them in their Keeper, of which there is none here.
"""

import time
import uuid
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from support.clickhouse import name_in
from support.clickhouse_steps import open_stepping
from support.relays import Relay

from mosaic_telemetry.engine import DatabaseError
from mosaic_telemetry.engine.keeping import Keeper
from mosaic_telemetry.engine.recount import differences
from mosaic_telemetry.engine.store import StoredEvent
from mosaic_telemetry.engine.store.clickhouse.address import Address
from mosaic_telemetry.engine.store.clickhouse.ddl import EVENT_IDS
from mosaic_telemetry.engine.store.clickhouse.link import Link
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

TOKEN = b"insert_deduplication_token="


class Forgetful(Relay):
    """Passes everything on, but for the answers to the next so many inserts: there the connection breaks when they come.

    Attributes:
        inserts: how many inserts were passed on.
    """

    def __init__(self, port):
        self.lost = self.inserts = 0
        super().__init__(port)

    def _pump(self, source, sink, *, note=False):
        super()._pump(source, sink if note else Answers(self, sink), note=note)


class Answers:
    """A client's side of a connection, which breaks instead of telling what is to be lost."""

    def __init__(self, relay, sink):
        self.relay = relay
        self.sink = sink

    def sendall(self, data):
        if TOKEN in self.relay.passed:
            self.relay.passed.clear()
            self.relay.inserts += 1
            if self.relay.lost:
                self.relay.lost -= 1
                raise ConnectionError
        self.sink.sendall(data)

    def shutdown(self, how):
        self.sink.shutdown(how)


@pytest.fixture
def url(clickhouse, tmp_path):
    url = clickhouse.database(tmp_path / "accounts.db")
    yield url
    clickhouse.drop(url)


@pytest.fixture
def relay(url):
    with Forgetful(urlsplit(url).port) as relay:
        yield relay


@pytest.fixture
def store(url, relay):
    with closing(open_stepping(url.replace(f":{relay.target}/", f":{relay.port}/"))) as store:
        yield store


def send(store, events):
    number = store.instances()[0].number if store.instances() else store.create_instance(uuid.uuid4(), "test", 0).result().number
    return store.insert(number, int(time.time() * 1000), events).result(60)


@pytest.fixture
def events():
    fields = from_dict(TaskCompletionEvent, EXAMPLES["TaskCompletionEvent"])
    return [StoredEvent(uuid.uuid4().bytes, int(time.time() * 1000), fields) for _ in range(30)]


def test_a_block_whose_answer_was_lost_is_stored_once(store, relay, clickhouse, url, events):
    relay.lost = 1
    assert send(store, events) == [True] * 30
    assert relay.inserts == 2
    assert clickhouse.execute("SELECT count() FROM incoming", name_in(url)) == [(30,)]


@pytest.mark.parametrize("table", [1, 2])
def test_so_is_what_was_settled(store, relay, clickhouse, url, events, table):
    send(store, events)
    relay.inserts, relay.lost = 0, table
    assert store.horizon() == 30
    assert relay.inserts == 2 + table
    assert clickhouse.execute("SELECT count() FROM events", name_in(url)) == [(30,)]
    assert clickhouse.execute("SELECT count() FROM event_ids", name_in(url)) == [(30,)]


def test_where_every_answer_is_lost_the_events_are_not_acknowledged_and_count_once_when_they_are_sent_again(store, relay, events):
    relay.lost = 100
    with pytest.raises(DatabaseError, match="cannot be used at the moment"):
        send(store, events)
    relay.lost = 0
    assert send(store, events) == [True] * 30  # here alone duplicates are said to be accepted
    Keeper(store).catch_up()
    assert len(store.read_events(0, store.horizon(), 100)) == 30
    assert differences(store) == []


def test_it_is_the_token_by_which_a_block_is_known(url):
    with closing(open_stepping(url)), closing(Link(Address.parse(url))) as link:
        columns = {"event_id": [b"i" * 16], "sequence": [1], "received_ms": [1_790_000_000_000]}
        for token, rows in (("first", 1), ("first", 1), ("second", 2), ("first", 2)):
            link.insert(EVENT_IDS, columns, token)
            assert link.rows("SELECT count() FROM event_ids") == [(rows,)]
