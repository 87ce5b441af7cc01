import asyncio
import contextlib
import re
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import asyncpg
import pytest
from support.postgres import rows
from support.server import COMMAND, ServerProcess, create_instance
from support.waiting import wait_for

from mosaic_telemetry.engine import DatabaseError, open_engine
from mosaic_telemetry.engine.store.postgres.migrations import LOCK
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

COMPLEXITIES = ("low", "medium", "high", "critical")


@pytest.fixture
def url(postgres):
    url = postgres.database()
    yield url
    postgres.drop(url)


def refused(url):
    with pytest.raises(DatabaseError) as caught, open_engine(url):
        pass
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://someone:secret@127.0.0.1:1/db", "cannot be used at the moment"),
        ("postgresql://someone:secret@127.0.0.1:port/db", "no address of a PostgreSQL database"),
        ("mysql://someone:secret@127.0.0.1/db", "mysql:// is no database that is known"),
    ],
)
def test_an_address_that_leads_nowhere_is_named_without_its_password(url, words):
    assert words in refused(url)


def test_a_database_that_is_not_there_is_named(postgres):
    assert "there is no such database" in refused(postgres.url("nowhere"))


def test_a_newer_database_is_refused(url):
    with open_engine(url):
        pass
    rows(url, "UPDATE mosaic_telemetry_tables SET version = version + 1")
    assert "newer mosaic-telemetry" in refused(url)


def test_several_processes_may_make_the_tables_at_once(url):
    program = "import sys; from mosaic_telemetry.engine import open_engine\nwith open_engine(sys.argv[1]) as engine: engine.create_instance()"
    children = [subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE) for _ in range(3)]
    assert [(child.communicate()[1], child.returncode) for child in children] == [(b"", 0)] * 3
    with open_engine(url) as engine:
        assert len(engine.accounts.instances()) == 3


@contextlib.contextmanager
def held_up(url, statement):
    """Somebody else has begun a transaction with this statement."""

    async def lock():
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await connection.execute(statement)
            held.set()
            await asyncio.to_thread(end.wait)
        await connection.close()

    held, end = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        locking = threads.submit(asyncio.run, lock())
        assert held.wait(30)
        try:
            yield
        finally:
            end.set()
            locking.result(30)


def test_while_another_process_makes_the_tables_a_server_is_healthy_and_not_ready(url):
    words = [*COMMAND, "serve", "--port", "0", "--database", url]
    with (
        held_up(url, f"SELECT pg_advisory_xact_lock({LOCK}, 1)"),
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        port = re.search(r"until then port (\d+) answers 503", process.stderr.readline())[1]
        statuses = []
        for path in ("healthz", "readyz"):
            with contextlib.closing(HTTPConnection("127.0.0.1", int(port), timeout=30)) as connection:
                connection.request("GET", f"/{path}")
                statuses.append(connection.getresponse().status)
        process.terminate()
    assert statuses == [200, 503]


@pytest.mark.parametrize("table", ["api_keys", "cells"])
def test_a_server_answers_others_while_the_database_keeps_one_waiting(url, table):
    access = create_instance(url)
    query = dict(zip(("task_type", "model", "provider", "complexity"), ("testing", "m", "openai", "low"), strict=True))
    event = {**EXAMPLES["TaskCompletionEvent"], "instance_id": access.instance_id, "event_id": str(uuid.uuid4())}
    with ServerProcess(url) as server, ThreadPoolExecutor(1) as threads:
        asked = ("/v1/events/batch", {"events": [event]}, 202) if table == "api_keys" else ("/v1/predictions/batch", {"queries": [query]}, 200)
        with held_up(url, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
            waiting = threads.submit(server.request, "POST", *asked[:2], key=access.api_key)
            assert [server.request("GET", "/healthz")[0] for _ in range(20)] == [200] * 20
            assert not waiting.done()
        assert waiting.result(30)[0] == asked[2]


def test_events_of_several_writers_are_all_counted_and_lie_in_the_month_of_their_receipt(url, make_event):
    with open_engine(url) as engine, open_engine(url, keep=False) as other:
        instance = engine.authenticate(engine.create_instance().api_key)

        def report(number):
            events = [from_dict(TaskCompletionEvent, make_event(instance.instance_id, event_id=str(uuid.uuid4()))) for _ in range(20)]
            assert (engine, other)[number % 2].ingest(instance, events).accepted == 20

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(report, range(40)))
        engine.roll_up()
        assert engine.verify() == []
    assert rows(url, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(800, 800)]
    assert rows(url, "SELECT count(*) FROM events_other") == [(0,)]


def test_a_database_that_grows_from_nothing_is_not_read_whole_for_each_key(url, make_event):
    with open_engine(url, keep=False) as engine:
        instance = engine.local_instance()
        made = [make_event(instance.instance_id, model=f"model-{number % 400}", complexity=COMPLEXITIES[number % 4]) for number in range(2000)]
        engine.ingest(instance, [from_dict(TaskCompletionEvent, event) for event in made])
        engine.roll_up()
    # The statistics come when a session ends: until then an earlier figure stands.
    read = "SELECT sum(n_tup_ins), sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables WHERE relname IN ('cells', 'shares')"
    wait_for(lambda: (rows(url, read)[0][0] or 0) > 2000, 30, "the statistics")
    inserted, looked_at = rows(url, read)[0]
    assert looked_at < 100 * inserted
