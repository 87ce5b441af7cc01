"""What only the store on ClickHouse has: addresses, statements for a cluster, slices that somebody did not finish."""

import json
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from support.clickhouse import name_in
from support.clickhouse_steps import open_stepping

from mosaic_telemetry.engine import DatabaseError, open_engine
from mosaic_telemetry.engine.keeping import Keeper
from mosaic_telemetry.engine.store.clickhouse.ddl import statements
from mosaic_telemetry.engine.store.clickhouse.slices import NOBODY, Slices, SlicesStore, outside
from mosaic_telemetry.engine.store.opening import name_of, open_store
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict

GOLDEN = Path(__file__).with_name("clickhouse_cluster.sql")


@pytest.fixture
def url(clickhouse, tmp_path):
    url = clickhouse.database(tmp_path / "accounts.db")
    yield url
    clickhouse.drop(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("clickhouse://me:secret@127.0.0.1/db", "add [?]accounts="),
        ("clickhouse://me:secret@127.0.0.1:port/db?accounts=a.db", "its port is no number"),
        ("clickhouse://me:secret@127.0.0.1/db?accounts=a.db&colour=red", "no option is called colour"),
        ("clickhouse://me:secret@127.0.0.1/db?accounts=a.db&ttl_days=30", "ttl_days is a whole number from 400 on"),
        ("clickhouse://me:secret@127.0.0.1/db?accounts=a.db&secure=yes", "secure is 0 or 1"),
        ("clickhouse://me:secret@127.0.0.1:1/db?accounts={}", "cannot be used at the moment"),
    ],
)
def test_an_address_that_leads_nowhere_is_named_without_its_password(url, words, tmp_path):
    with pytest.raises(DatabaseError, match=words) as caught:
        open_store(url.format(tmp_path / "a.db"))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name_of("clickhouse://me:secret@ch.example/db?accounts=postgresql://me:secret@x/y") == "clickhouse://ch.example/db"


def test_a_database_that_is_not_there_is_named(clickhouse, tmp_path):
    with pytest.raises(DatabaseError, match="there is no such database"):
        open_store(clickhouse.url("nowhere", tmp_path / "a.db"))


def test_events_of_another_accounts_database_are_not_taken_over(url, make_event):
    with open_engine(url) as engine:
        report(engine, make_event)
    with pytest.raises(DatabaseError, match="belong to another accounts database"):
        open_store(url.replace("accounts.db", "others.db"))


def test_the_statements_for_a_cluster_are_as_written_down_and_are_clickhouses_language(clickhouse):
    made = statements("main", 500)
    assert ";\n\n".join(made) + ";\n" == GOLDEN.read_text()
    for statement in (*made, *statements(None, 500)):
        assert clickhouse.execute(f"SELECT formatQuery({quoted(statement)})")[0][0].startswith("CREATE TABLE IF NOT EXISTS")


def report(engine, make_event, count=5):
    instance = engine.authenticate(engine.create_instance().api_key)
    events = [from_dict(TaskCompletionEvent, make_event(instance.instance_id, event_id=str(uuid.uuid4()))) for _ in range(count)]
    assert engine.ingest(instance, events).accepted == count
    engine.roll_up()
    return instance, events


def test_what_an_unfinished_slice_wrote_is_never_seen_even_when_it_is_written_later(url, clickhouse, make_event):
    with open_engine(url, keep=False) as engine:
        instance, events = report(engine, make_event)
        slices = SlicesStore(engine._store)
        opened = slices.open(100)
        engine.ingest(instance, events)  # again: not counted
        more = [from_dict(TaskCompletionEvent, make_event(instance.instance_id, event_id=str(uuid.uuid4()))) for _ in range(3)]
        engine.ingest(instance, more)
        engine.roll_up()  # waits for whoever opened it, and then goes on without
        columns = "event_id, instance, received_ms, timestamp_ms, standing, task_type"
        database = name_in(url)
        clickhouse.execute(f"INSERT INTO events (sequence, {columns}) SELECT sequence + {opened.began}, {columns} FROM events WHERE sequence <= 5", database)
        clickhouse.execute(f"INSERT INTO event_ids SELECT unhex(repeat('ab', 16)), {opened.began + 1}, 0", database)
        assert not slices.change(opened, opened.committed(5))
        assert engine.verify() == []
        assert len(engine._store.read_events(0, 10**9, 100)) == 8
        late = from_dict(TaskCompletionEvent, make_event(instance.instance_id, event_id=str(uuid.UUID(bytes=b"\xab" * 16))))
        engine.ingest(instance, [late])
        engine.roll_up()
        assert len(engine._store.read_events(0, 10**9, 100)) == 9
        assert engine.verify() == []


def test_a_deletion_that_was_noted_and_not_made_is_made_before_anything_is_read(url, clickhouse, make_event):
    def step(what):
        if what == "delete incoming":
            raise KeyboardInterrupt

    with open_engine(url) as engine:
        leaving, _ = report(engine, make_event)
        report(engine, make_event, 4)
    with closing(open_stepping(url, step)) as store, pytest.raises(KeyboardInterrupt):
        Keeper(store).erase(leaving.number)
    with open_engine(url, keep=False) as engine:
        assert len(engine._store.read_events(0, 10**9, 100)) == 4
        assert engine.verify() == []
        assert engine.erase(engine.accounts.instances()[0]) == 0
    assert [clickhouse.execute(f"SELECT count() FROM {table}", name_in(url)) for table in ("incoming", "events", "event_ids")] == [[(0,)], [(4,)], [(4,)]]


def test_numbers_are_never_given_twice_but_where_they_were_not_used():
    slices = Slices().opened(10)
    assert (slices.began, slices.given, slices.settled) == (0, 10, 0)
    assert slices.committed(7) == Slices(settled=7, given=7)
    struck = slices.struck_out(5)
    assert (struck.began, struck.struck, struck.failed) == (NOBODY, ((0, 10, 5),), 1)
    assert struck.opened(3).committed(0) == Slices(settled=0, given=10, struck=((0, 10, 5),))
    assert outside(struck.struck, 10) == ""
    assert outside(struck.struck, 9, 20) == " AND NOT (sequence > 0 AND sequence <= 10)"
    assert json.loads(struck.as_setting()["clickhouse slices"])["struck"] == [[0, 10, 5]]


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
