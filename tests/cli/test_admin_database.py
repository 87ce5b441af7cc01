import json

import pytest
from click.testing import CliRunner

from mosaic_telemetry.cli.admin_database import COMMANDS
from mosaic_telemetry.engine import open_engine


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


def test_backups_of_postgresql_are_its_own_tools_work(run, tmp_path):
    code, output = run("backup", tmp_path / "b", database="postgresql://u:secret@127.0.0.1:1/x")
    assert (code, "pg_dump" in output) == (2, True)
    assert "secret" not in output
