import json
import re
import uuid

import pytest
from click.testing import CliRunner

from mosaic_telemetry.cli.app import app
from mosaic_telemetry.engine import open_engine


@pytest.fixture
def admin(tmp_path):
    """Runs `admin ... --database`; returns its exit code and output."""

    def run(*arguments):
        result = CliRunner().invoke(app, ["admin", *arguments, "--database", str(tmp_path / "t.db")])
        return result.exit_code, result.output

    run.database = tmp_path / "t.db"
    return run


def works(admin, key):
    with open_engine(admin.database) as engine:
        return engine.authenticate(key) is not None


def test_create_instance_prints_id_and_key_once(admin):
    code, output = admin("create-instance", "--name", "laptop")
    assert code == 0
    key = re.search("api key +([0-9a-f]{64})\n", output)[1]
    instance_id = re.search("instance id +([0-9a-f-]{36})\n", output)[1]
    assert works(admin, key)
    code, listed = admin("list")
    assert instance_id in listed
    assert "laptop" in listed
    assert key not in listed


def test_json_is_an_object_with_id_and_key(admin):
    made = json.loads(admin("create-instance", "--json")[1])
    assert set(made) == {"instance_id", "api_key"}
    assert uuid.UUID(made["instance_id"])
    (listed,) = json.loads(admin("list", "--json")[1])
    assert (listed["instance_id"], listed["keys"]) == (made["instance_id"], 1)


def test_rotate_and_revoke(admin):
    made = json.loads(admin("create-instance", "--json")[1])
    rotated = json.loads(admin("rotate-key", made["instance_id"], "--json")[1])
    assert rotated["instance_id"] == made["instance_id"]
    assert not works(admin, made["api_key"])
    assert works(admin, rotated["api_key"])
    assert "revoked 1 key" in admin("revoke", made["instance_id"])[1]
    assert not works(admin, rotated["api_key"])
    assert json.loads(admin("revoke", made["instance_id"], "--json")[1])["revoked"] == 0


@pytest.mark.parametrize("command", ["rotate-key", "revoke"])
def test_an_unknown_instance_is_one_line(admin, command):
    unknown = str(uuid.uuid4())
    code, output = admin(command, unknown)
    assert code == 1
    assert output.startswith("Error: ")
    assert unknown in output
    assert output.count("\n") == 1


def test_an_empty_list_says_what_to_do(admin):
    assert "create-instance" in admin("list")[1]
