import uuid
from collections import deque
from types import SimpleNamespace

import pytest
from support.clickhouse import ClickhouseServer
from support.clock import Clock
from support.postgres import PostgresServer

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.store.opening import open_store
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES


@pytest.fixture
def make_event():
    """A new valid event as JSON values, with changes."""

    def make(instance_id=None, **changes):
        event = {**EXAMPLES["TaskCompletionEvent"], "event_id": str(uuid.uuid4()), **changes}
        return event if instance_id is None else {**event, "instance_id": str(instance_id)}

    return make


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def clickhouse():
    """A ClickHouse server."""
    server = ClickhouseServer()
    yield server
    server.close()


STORES = ["sqlite", "postgres", "clickhouse"]
BESIDE_POSTGRES = {"test_accounts", "test_accounts_store", "test_keeping", "test_limits"}
"""Modules whose tests run on ClickHouse beside PostgreSQL too, and not only beside SQLite."""


@pytest.hookimpl(tryfirst=True)  # before the marks are read
def pytest_generate_tests(metafunc):
    chosen = any("new_database" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    if "new_database" in metafunc.fixturenames and not chosen and metafunc.module.__name__.rpartition(".")[2] in BESIDE_POSTGRES:
        metafunc.definition.add_marker(pytest.mark.parametrize("new_database", [*STORES, "clickhouse-postgres"], indirect=True, scope="session"))


@pytest.fixture(scope="session", params=STORES)
def new_database(request, tmp_path_factory):
    """Makes places for new databases, of every kind that there is: each test with it is a test of every store."""
    if request.param == "sqlite":
        yield lambda: tmp_path_factory.mktemp("database") / "telemetry.db"
        return
    if request.param == "clickhouse":
        clickhouse = request.getfixturevalue("clickhouse")
        yield lambda: clickhouse.database(tmp_path_factory.mktemp("database") / "accounts.db")
        return
    postgres, made = request.getfixturevalue("postgres"), deque()

    def make():
        made.append(postgres.database())
        if len(made) > 4:  # each takes 8 MB
            postgres.drop(made.popleft())
        return made[-1]

    if request.param == "clickhouse-postgres":
        clickhouse = request.getfixturevalue("clickhouse")
        yield lambda: clickhouse.database(make())
    else:
        yield make
    for url in made:
        postgres.drop(url)


@pytest.fixture
def database(new_database):
    """A place for a new database."""
    return new_database()


@pytest.fixture
def store(database):
    """An empty store."""
    store = open_store(database)
    yield store
    store.close()


@pytest.fixture
def house(database, make_event):
    """An engine on a new database, with an instance, and a way to report events of it."""
    with open_engine(database) as engine:
        instance = engine.authenticate(engine.create_instance("test").api_key)

        def report(*changes, count=1):
            events = [make_event(instance.instance_id, **change) for change in changes for _ in range(count)]
            return engine.ingest(instance, [from_dict(TaskCompletionEvent, event) for event in events])

        yield SimpleNamespace(path=database, engine=engine, instance=instance, report=report)


@pytest.fixture
def clock():
    """A clock that stands until its `seconds` are changed."""
    return Clock()
