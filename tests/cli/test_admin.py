import json
import re
import uuid

import pytest
from click.testing import CliRunner
from support.server import ServerProcess

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
    assert set(made) == {"instance_id", "api_key", "key"}
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
    admin("create-instance")
    code, output = admin(command, unknown)
    assert code == 1
    assert output.startswith("Error: ")
    assert unknown in output
    assert output.count("\n") == 1


@pytest.mark.parametrize("words", [("list",), ("audit",), ("usage",), ("keys", str(uuid.UUID(int=1))), ("revoke", str(uuid.UUID(int=1)))])
def test_a_mistyped_database_is_said_and_not_made(admin, words):
    code, output = admin(*words)
    assert code == 1
    assert output.startswith(f"Error: no database at {admin.database}")
    assert "create-instance" in output
    assert not admin.database.exists()


def test_an_admin_key_can_come_before_the_first_instance(admin):
    code, output = admin("create-admin-key")
    assert code == 0
    key = re.search("admin key +([0-9a-f]{64})\n", output)[1]
    assert f"export MOSAIC_TELEMETRY_ADMIN_KEY={key}" in output
    assert admin("create-admin-key", "--server", "http://127.0.0.1:1")[0] == 2


def test_an_empty_list_says_what_to_do(admin):
    assert "create-instance" in admin("list")[1]


def test_several_keys_with_names_and_an_end(admin):
    made = json.loads(admin("create-instance", "--key-name", "first", "--json")[1])
    added = json.loads(admin("create-key", made["instance_id"], "--name", "ci", "--expires", "90d", "--json")[1])
    assert works(admin, made["api_key"])
    assert works(admin, added["api_key"])
    listed = json.loads(admin("keys", made["instance_id"], "--json")[1])
    assert [(key["name"], key["works"]) for key in listed] == [("first", True), ("ci", True)]
    assert listed[1]["expires"] > listed[1]["created"]
    assert "ci" in admin("keys", made["instance_id"])[1]
    assert "revoked 1 key " in admin("revoke", made["instance_id"], "--key", str(listed[0]["number"]))[1]
    assert not works(admin, made["api_key"])
    rotated = json.loads(admin("rotate-key", made["instance_id"], "--overlap", "1h", "--json")[1])
    assert works(admin, added["api_key"])
    assert works(admin, rotated["api_key"])


@pytest.mark.parametrize("time", ["soon", "-1d", "5x", "nan", "inf", ""])
def test_a_time_that_is_none(admin, time):
    code, output = admin("create-instance", "--expires", time)
    assert code == 2
    assert "such as 90d" in output


def test_the_audit_log_says_who_did_what(admin):
    made = json.loads(admin("create-instance", "--name", "laptop", "--json")[1])
    admin("revoke", made["instance_id"])
    (revoked, created) = json.loads(admin("audit", "--json")[1])
    assert (revoked["action"], created["action"]) == ("key.revoke", "instance.create")
    assert created["actor"].startswith("cli:")
    assert made["instance_id"] in admin("audit")[1]
    assert made["api_key"] not in admin("audit")[1]
    assert "Nothing came in" in admin("usage")[1]


def test_the_same_on_a_server_with_the_admin_key(tmp_path):
    with ServerProcess(tmp_path / "served.db") as server:
        key = json.loads(CliRunner().invoke(app, ["admin", "create-admin-key", "--database", str(server.database), "--json"]).output)["admin_key"]

        def run(*words):
            result = CliRunner().invoke(app, ["admin", *words, "--server", server.url], env={"MOSAIC_TELEMETRY_ADMIN_KEY": key})
            assert result.exit_code == 0, result.output
            return result.output

        made = json.loads(run("create-instance", "--name", "far", "--json"))
        assert "far" in run("list")
        assert json.loads(run("keys", made["instance_id"], "--json")) == [made["key"]]
        assert json.loads(run("revoke", made["instance_id"], "--json"))["revoked"] == 1
        assert [act["actor"] for act in json.loads(run("audit", "--json"))[:2]] == ["api:127.0.0.1"] * 2
        refused = CliRunner().invoke(app, ["admin", "list", "--server", server.url, "--admin-key", "x" * 64])
        assert (refused.exit_code, "401" in refused.output) == (1, True)
        assert CliRunner().invoke(app, ["admin", "list", "--server", server.url], env={"MOSAIC_TELEMETRY_ADMIN_KEY": ""}).exit_code == 2
