import json
import os
from contextlib import closing

import apsw
import pytest
from click.testing import CliRunner
from support.postgres import PostgresServer, rows

from mosaic_telemetry.cli.admin_database import COMMANDS
from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.store.sqlite.migrations import APPLICATION_ID, STEPS


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL server."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres):
    """An empty database of PostgreSQL."""
    url = postgres.database()
    yield url
    postgres.drop(url)


@pytest.fixture
def run(tmp_path):
    """Runs one of the commands on a database with one instance; returns its exit code and output."""
    path = tmp_path / "t.db"
    with open_engine(path) as engine:
        engine.create_instance("laptop")
    commands = {command.name: command for command in COMMANDS}

    def do(name, *words, database=path):
        result = CliRunner().invoke(commands[name], [*map(str, words), "--database", str(database)])
        return result.exit_code, result.output

    return do


def names(path):
    with open_engine(path) as engine:
        return [instance.name for instance in engine.accounts.instances()]


def test_backup_and_restore(run, tmp_path):
    code, output = run("backup", tmp_path / "b.db")
    assert (code, "bytes" in output) == (0, True)
    code, output = run("backup", tmp_path / "b.db")
    assert (code, "--force" in output) == (1, True)
    assert run("restore", tmp_path / "b.db", "--json", database=tmp_path / "new.db")[0] == 0
    assert names(tmp_path / "new.db") == ["laptop"]


def test_copy_tells_the_rows(run, tmp_path):
    code, output = run("copy", tmp_path / "copy.db", "--json")
    assert code == 0
    assert json.loads(output)["rows"]["instances"] == 1
    assert names(tmp_path / "copy.db") == ["laptop"]
    code, output = run("copy", tmp_path / "copy.db")
    assert (code, "is not empty" in output) == (1, True)


def test_backup_and_restore_of_postgresql(run, postgres, postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{postgres.programs}{os.pathsep}{os.environ['PATH']}")
    with open_engine(postgres_url) as engine:
        engine.create_instance("server")
    code, output = run("backup", tmp_path / "b.dump", database=postgres_url)
    assert (code, "bytes" in output) == (0, True)
    code, output = run("restore", tmp_path / "b.dump", database=postgres_url)
    assert (code, "is not empty" in output) == (1, True)
    code, output = run("restore", tmp_path / "b.dump", "--force", database=postgres_url)
    assert (code, output) == (
        0,
        f"restored postgresql://{postgres_url.partition('@')[2].partition('?')[0]}\n".replace("postgresql:///", "postgresql://localhost/"),
    )
    assert names(postgres_url) == ["server"]


def test_no_password_is_shown(run, tmp_path):
    code, output = run("backup", tmp_path / "b", database="postgresql://u:secret@127.0.0.1:1/x")
    assert (code, "cannot be used at the moment" in output) == (1, True)
    assert "secret" not in output


@pytest.fixture
def old(tmp_path):
    """A SQLite file as the first version made it."""
    path = tmp_path / "old.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(STEPS[0])
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1")
    return path


def test_migrate_says_what_is_to_be_done_and_does_it(run, old):
    for _ in range(2):  # to look changes nothing
        code, output = run("migrate", "--check", database=old)
        assert (code, output) == (1, f"Error: {old}: the tables are at version 1, {len(STEPS)} is needed; run `mosaic-telemetry admin migrate`\n")
    code, output = run("migrate", "--json", database=old)
    assert (code, json.loads(output)) == (0, {"database": str(old), "version": len(STEPS), "needed": len(STEPS), "was": 1})
    assert run("migrate", "--check", database=old)[0] == 0
    assert "nothing to do" in run("migrate", database=old)[1]
    assert names(old) == []


def test_migrate_names_a_database_that_is_none_and_a_newer_one(run, tmp_path, old):
    assert run("migrate", database=tmp_path / "no.db") == (1, f"Error: there is no database at {tmp_path / 'no.db'}\n")
    assert not (tmp_path / "no.db").exists()
    with closing(apsw.Connection(str(old))) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    code, output = run("migrate", "--check", database=old)
    assert (code, "newer mosaic-telemetry" in output) == (1, True)


def test_migrate_on_postgresql(run, postgres_url):
    code, output = run("migrate", "--check", "--json", database=postgres_url)
    assert (code, json.loads(output.partition("Error")[0])["version"]) == (1, 0)
    assert rows(postgres_url, "SELECT to_regclass('events')") == [(None,)]
    code, output = run("migrate", database=postgres_url)
    assert (code, "brought from version 0 to" in output) == (0, True)
    assert run("migrate", "--check", database=postgres_url)[0] == 0
