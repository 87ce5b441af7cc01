"""One store and several servers in front of it, on each kind of store that several may share."""

import pytest
from support.clickhouse import ClickhouseServer
from support.postgres import PostgresServer


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


@pytest.fixture(scope="module", params=["sqlite", "postgres", "clickhouse"])
def new_store(request, tmp_path_factory):
    """Makes places for databases that all servers of a test share."""
    if request.param == "sqlite":
        return lambda: tmp_path_factory.mktemp("store") / "telemetry.db"
    beside = request.getfixturevalue("postgres").database
    if request.param == "postgres":
        return beside
    clickhouse = request.getfixturevalue("clickhouse")
    return lambda: clickhouse.database(beside())
