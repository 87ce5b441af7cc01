"""`config`: what is in force, where it comes from, and what does not fit."""

import json
import os
import subprocess
from dataclasses import fields

import pytest
import reference
from support.server import COMMAND

from mosaic_telemetry import TelemetryConfig
from mosaic_telemetry.cli.configured import KNOWN, configured
from mosaic_telemetry.server.settings import Settings

KEY = "0123456789abcdef" * 4


def values(found, section):
    return {one.name: (one.value, one.source) for one in found.sections[section]}


def test_every_setting_is_there_and_every_variable_of_a_command_is_known():
    found = configured({}, None)
    assert set(values(found, "SDK")) == {item.name for item in fields(TelemetryConfig)} - {"on_error"}
    assert {item.name for item in fields(Settings)} <= set(values(found, "server"))
    assert found.problems == []
    read = [option.envvar for _, command in reference.commands() for option in command.params if option.envvar]
    assert {name for names in read for name in ([names] if isinstance(names, str) else names)} <= KNOWN


def test_the_environment_goes_before_the_file_before_the_default(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text('port = 1001\nlog_level = "error"\n')
    found = values(configured({"MOSAIC_TELEMETRY_PORT": "1002", "MOSAIC_TELEMETRY_CONFIG": str(file)}, None), "server")
    assert found["port"] == (1002, "MOSAIC_TELEMETRY_PORT")
    assert found["log_level"] == ("error", str(file))
    assert found["workers"] == (1, "default")


def test_the_sdks_own_and_other_names():
    env = {"TELEMETRY_API_URL": "http://one/", "MOSAIC_TELEMETRY_BATCH_SIZE": "500", "MOSAIC_TELEMETRY_ENABLED": "no"}
    found = values(configured(env, None), "SDK")
    assert found["server_url"] == ("http://one", "TELEMETRY_API_URL")
    assert found["batch_size"] == (100, "MOSAIC_TELEMETRY_BATCH_SIZE")
    assert found["enabled"] == (False, "MOSAIC_TELEMETRY_ENABLED")
    assert values(configured({"DO_NOT_TRACK": "1"}, None), "SDK")["enabled"] == (False, "DO_NOT_TRACK")


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_no_secret_is_printed(words, tmp_path):
    env = {
        "MOSAIC_TELEMETRY_API_KEY": KEY,
        "MOSAIC_TELEMETRY_ADMIN_KEY": KEY[::-1],
        "MOSAIC_TELEMETRY_DATABASE": "postgresql://u:hidden@h/x",
        "MOSAIC_TELEMETRY_SERVER_URL": "https://u:hidden@h",
    }
    own = {name: value for name, value in os.environ.items() if not name.startswith("MOSAIC_TELEMETRY_")}
    done = subprocess.run([*COMMAND, "config", *words], env={**own, **env, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout
    assert KEY[::-1] not in done.stdout
    assert "hidden" not in done.stdout
    assert "abcdef" in done.stdout
    if words:
        assert json.loads(done.stdout)["problems"] == []
    else:
        assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("env", "text", "said"),
    [
        ({"MOSAIC_TELEMETRY_API_KY": "1"}, "", "MOSAIC_TELEMETRY_API_KY is no setting; did you mean MOSAIC_TELEMETRY_API_KEY?"),
        ({"MOSAIC_TELEMETRY_PORT": "x"}, "", "MOSAIC_TELEMETRY_PORT"),
        ({"MOSAIC_TELEMETRY_SUBMIT_INTERVAL": "soon"}, "", "MOSAIC_TELEMETRY_SUBMIT_INTERVAL"),
        ({"MOSAIC_TELEMETRY_BATCH_SIZE": "-1"}, "", "batch_size"),
        ({}, "prot = 1", "there is no setting prot; did you mean port?"),
        ({}, "port = 99999999", "server.toml"),
    ],
)
def test_what_does_not_fit_is_named_and_hides_nothing_else(tmp_path, env, text, said):
    file = tmp_path / "server.toml"
    file.write_text(text)
    found = configured({**env, "MOSAIC_TELEMETRY_WORKERS": "3"}, file)
    assert len(found.problems) == 1, found.problems
    assert said in found.problems[0]
    assert values(found, "server")["workers"] == (3, "MOSAIC_TELEMETRY_WORKERS")
    assert values(found, "SDK")["max_retries"] == (3, "default")
