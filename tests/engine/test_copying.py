import pytest

from mosaic_telemetry.engine import DatabaseError, open_engine
from mosaic_telemetry.engine.copying import copy_database, differing, open_tables
from mosaic_telemetry.engine.store.tables import TABLES


@pytest.fixture
def filled(house):
    """A database with something in every kind of row."""
    house.report({"model": "gpt-5"}, {"model": "claude-opus", "language": None}, count=40)
    erased = house.engine.create_instance("gone")
    house.engine.accounts.note("cli:test", "instance.create", erased.instance_id)
    house.engine.roll_up()
    house.engine.close()
    return house.path


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "clickhouse"])
def test_a_copy_is_the_same_row_by_row_and_goes_on(filled, kind, tmp_path, request):
    target = tmp_path / "copy.db"
    if kind != "sqlite":
        server = request.getfixturevalue(kind)
        target = server.database() if kind == "postgres" else server.database(target)
    rows = copy_database(filled, target)
    assert rows["events"] == 80
    assert all(rows[name] for name in ("instances", "api_keys", "texts", "cells", "shares", "daily_totals", "intake", "audit"))
    one, other = open_tables(filled), open_tables(target)
    assert [table.name for table in TABLES if differing(one, other, table) is not None] == []
    assert [one.last(name) == other.last(name) for name in ("events", "audit")] == [True, True]
    one.close()
    other.close()
    with open_engine(target) as engine:
        assert engine.verify() == []
        made = engine.create_instance("after")
        instance = engine.authenticate(made.api_key)
        assert instance.number > 2


def test_a_database_that_is_not_empty_is_left_alone(filled, tmp_path):
    target = tmp_path / "copy.db"
    with open_engine(target) as engine:
        engine.create_instance("mine")
    with pytest.raises(DatabaseError, match="is not empty"):
        copy_database(filled, target)
    with open_engine(target) as engine:
        assert [instance.name for instance in engine.accounts.instances()] == ["mine"]


def test_what_is_not_there_is_not_made(tmp_path):
    with pytest.raises(DatabaseError, match="there is no database"):
        copy_database(tmp_path / "none.db", tmp_path / "copy.db")
    assert not list(tmp_path.iterdir())


def test_broken_off_midway_nothing_is_kept_and_it_can_be_begun_again(filled, new_database):
    target = new_database()

    def stop(_done, _most):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_database(filled, target, stop)
    assert copy_database(filled, target)["events"] == 80
