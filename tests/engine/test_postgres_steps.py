"""Databases that earlier versions made, with data in them; and texts of higher numbers than columns of words begin with."""

import asyncio
import hashlib
import uuid
from datetime import date

import apsw
import pytest
from support.postgres import rows

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.copying import copy_database
from mosaic_telemetry.engine.store.postgres.connection import connect
from mosaic_telemetry.engine.store.postgres.migrations import STEPS
from mosaic_telemetry.engine.store.postgres.narrowing import NARROW, WORDS, retyped
from mosaic_telemetry.engine.store.postgres.texts import Texts
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict

KEY = "a1" * 32
INSTANCE = uuid.uuid4()
EVENTS = 250
NOW_MS = 1_770_000_000_000
FEBRUARY = "FOR VALUES FROM (1769904000000) TO (1772323200000)"
TEXTS = ("debugging", "high", "claude_code", "gpt-5", "openai", "success", "build,test", "", "python")
COLUMNS = (
    "event_id, instance, received_ms, timestamp_ms, standing, task_duration_ms, estimated_input_tokens, estimated_output_tokens, actual_input_tokens, "
    "actual_output_tokens, estimated_cost_usd_micros, actual_cost_usd_micros, quality_gate_passed, context_compactions::integer, "
    "context_rotations::integer, context_utilization_final, retry_count::integer, task_type, complexity, harness, model, provider, outcome, language, "
    "repo_size_category, quality_gates_run, quality_gates_failed"
)


@pytest.fixture
def url(postgres):
    url = postgres.database()
    yield url
    postgres.drop(url)


def kind_of(url, column="task_type"):
    return rows(url, f"SELECT data_type FROM information_schema.columns WHERE table_name = 'events' AND column_name = '{column}'")[0][0]


def run(url, work):
    async def connected():
        connection = await connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(connected())


def make_first(url, first_number):
    """A database as the first version made it: an instance with a key, and events in a month of their own and beside it."""

    async def make(connection):
        await connection.execute(STEPS[0] + "CREATE TABLE mosaic_telemetry_tables (version integer NOT NULL); INSERT INTO mosaic_telemetry_tables VALUES (1)")
        await connection.execute(f"CREATE TABLE events_2026_02 PARTITION OF events {FEBRUARY}; ALTER TABLE texts ALTER number RESTART WITH {first_number}")
        await connection.execute("INSERT INTO instances (instance_id, name, created_ms) VALUES ($1, 'laptop', $2)", INSTANCE, NOW_MS)
        await connection.execute("INSERT INTO api_keys (digest, instance, created_ms) VALUES ($1, 1, $2)", hashlib.sha256(KEY.encode()).digest(), NOW_MS)
        await connection.executemany("INSERT INTO texts (text) VALUES ($1)", [(text,) for text in TEXTS])
        debugging, high, harness, model, provider, success, run, failed, language = range(first_number, first_number + len(TEXTS))
        for number in range(EVENTS):
            received = NOW_MS + number if number % 2 else number
            words = (debugging, high, harness, model, provider, success, language if number % 3 else None, None, run, failed)
            measured = (0, 60_000, 900, 90, 1000 + number, 100, 5000, 6000, True, 100, 50, 0.5, 20)
            values = (uuid.uuid4(), 1, received, NOW_MS, *measured, *words)
            places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
            await connection.execute(f"INSERT INTO events ({COLUMNS.replace('::integer', '')}) VALUES ({places})", *values)
        await connection.execute("INSERT INTO event_ids SELECT event_id FROM events")

    run(url, make)


@pytest.mark.parametrize(("first_number", "kind"), [(1, "smallint"), (NARROW + 1, "integer")])
def test_the_first_versions_events_and_keys_are_there_after_an_upgrade(url, first_number, kind):
    make_first(url, first_number)
    read = f"SELECT sequence, tableoid::regclass::text, {COLUMNS} FROM events ORDER BY sequence"
    before = rows(url, read)
    with open_engine(url, now=lambda: NOW_MS / 1000 + 3600) as engine:
        engine.roll_up()
        assert engine.verify() == []
        assert engine.sizes()["backlog"] == 0
        assert engine.authenticate(KEY).instance_id == INSTANCE
        assert sum(total.events for total in engine.sum_totals(date(2026, 1, 1), date(2026, 12, 31)).values()) == EVENTS
    assert rows(url, read) == before
    assert {row[1] for row in before} == {"events_2026_02", "events_other"}
    assert kind_of(url) == kind
    assert kind_of(url, "retry_count") == '"char"'
    assert rows(url, "SELECT version FROM mosaic_telemetry_tables") == [(len(STEPS),)]


def test_a_new_database_knows_all_words_before_any_model(url):
    with open_engine(url):
        pass
    found = {text for number, text in rows(url, "SELECT number, text FROM texts WHERE number <= 200")}
    assert found == set(WORDS)
    assert {"security_audit", "claude_code", "", "build", "build,lint,test,coverage,typecheck,security"} < found
    assert len(WORDS) > 64


def test_a_word_with_a_high_number_finds_its_place(url, make_event):
    """As after many models: columns of words grow, once, and nothing is refused."""
    with open_engine(url) as engine:
        instance = engine.authenticate(engine.create_instance("test").api_key)

        def report():
            events = [from_dict(TaskCompletionEvent, make_event(instance.instance_id)) for _ in range(20)]
            assert engine.ingest(instance, events).accepted == 20

        report()
        assert kind_of(url) == "smallint"
    rows(url, "DELETE FROM texts WHERE text NOT IN (SELECT text FROM texts JOIN events ON model = number OR language = number)")
    rows(url, f"UPDATE events SET {', '.join(f'{name} = model' for name in ('task_type', 'complexity', 'harness', 'provider', 'outcome'))}")
    rows(url, "UPDATE events SET quality_gates_run = model, quality_gates_failed = model, repo_size_category = NULL")
    rows(url, f"ALTER TABLE texts ALTER number RESTART WITH {NARROW + 1}")
    with open_engine(url) as engine:
        instance = engine.accounts.instances()[0]
        report()
        report()
    assert kind_of(url) == "integer"
    assert rows(url, "SELECT min(task_type) < $1, max(task_type) > $1 FROM events", [NARROW]) == [(True, True)]


def test_columns_that_another_process_has_widened_are_written_as_they_are(url, make_event):
    with open_engine(url) as engine, open_engine(url, keep=False) as other:
        instance = engine.authenticate(engine.create_instance("test").api_key)

        def report(to, **fields):
            return to.ingest(instance, [from_dict(TaskCompletionEvent, make_event(instance.instance_id, **fields)) for _ in range(20)]).accepted

        assert [report(engine), report(other)] == [20, 20]
        assert kind_of(url) == "smallint"
        run(url, lambda connection: connection.execute(retyped("integer")))
        assert [report(other), report(engine, language="klingon", repo_size_category="large")] == [20, 20]
        engine.roll_up()
        assert engine.verify() == []
    assert rows(url, "SELECT count(*), count(DISTINCT event_id), count(DISTINCT task_type) FROM events") == [(80, 80, 1)]


def test_a_database_with_many_texts_can_be_copied(url, tmp_path, make_event):
    source = tmp_path / "telemetry.db"
    with open_engine(source) as engine:
        instance = engine.authenticate(engine.create_instance("test").api_key)
    apsw.Connection(str(source)).execute("INSERT INTO texts VALUES (?, 'a model')", (NARROW,))
    with open_engine(source) as engine:
        engine.ingest(instance, [from_dict(TaskCompletionEvent, make_event(instance.instance_id, retry_count=20)) for _ in range(20)])
        engine.roll_up()
    assert copy_database(source, url)["events"] == 20
    assert kind_of(url) == "integer"
    with open_engine(url) as engine:
        assert engine.verify() == []


def test_more_texts_than_are_remembered_all_have_their_numbers(url):
    with open_engine(url):
        pass

    async def look(connection):
        texts = Texts(most=3)
        wanted = ["testing", "high", "a", "b", "c"]
        first = await texts.numbers(connection, wanted[:4])
        every = await texts.numbers(connection, wanted)
        assert {text: every[text] for text in wanted[:4]} == first
        assert await texts.texts(connection, every.values()) == {number: text for text, number in every.items()}
        return await Texts().numbers(connection, wanted) == every

    assert run(url, look)
    (last,) = rows(url, "SELECT last_value FROM texts_number_seq")
    assert last == (len(WORDS) + 3,)  # none was used up by looking
