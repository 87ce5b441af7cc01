import re
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mosaic_telemetry.cli.settings import settings_from, settings_options
from mosaic_telemetry.server.settings import PREFIX, Settings, SettingsError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run():
    @click.command()
    @settings_options
    def command(**values):
        settings = settings_from(values)
        click.echo(repr([settings.port, settings.log_level, settings.key_limit, settings.proxies]))

    def run(*words, **environment):
        result = CliRunner().invoke(command, words, env={PREFIX + name.upper(): value for name, value in environment.items()})
        return result.exit_code, result.output

    return run


def test_the_command_line_goes_before_the_environment_before_the_file_before_the_default(run, tmp_path):
    file = tmp_path / "server.toml"
    file.write_text('port = 1001\nlog_level = "error"\nkey_rate = 5\ntrusted_proxies = ["10.0.0.0/8", "::1"]\n')
    assert run() == (0, "[8000, 'warning', None, []]\n")
    assert run("--config", str(file)) == (0, "[1001, 'error', Limit(rate=5.0, burst=50), ['10.0.0.0/8', '::1']]\n")
    assert run(config=str(file), port="1002")[1].startswith("[1002, 'error'")
    assert run("--port", "1003", config=str(file), port="1002")[1].startswith("[1003, 'error'")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "there is no setting prot"),
        ("port = ", "is no TOML"),
        ('port = "x"', "port"),
        ("port = 70000", "port"),
        ("[port]", "port is no text"),
        (None, "cannot read"),
    ],
)
def test_a_file_that_cannot_be_is_one_error(run, tmp_path, text, said):
    file = tmp_path / "server.toml"
    if text is not None:
        file.write_text(text)
    code, output = run("--config", str(file))
    assert code == 2
    assert said in output.splitlines()[-1]


@pytest.mark.parametrize(
    "values",
    [
        {"port": -1},
        {"workers": 0},
        {"log_level": "loud"},
        {"admin_key": "short"},
        {"trusted_proxies": "here"},
        {"key_rate": 0.001, "key_burst": 1000},
        {"otlp_quiet": 0.0},
        {"keep_days": float("nan")},
        {"header_seconds": 0.0},
        {"body_seconds": float("inf")},
        {"answer_seconds": -1.0},
        {"connections": 0},
    ],
)
def test_a_value_that_cannot_be_is_named(values):
    with pytest.raises(SettingsError, match=next(iter(values)).partition("_")[0]):
        Settings(**values)


def test_a_public_server_has_limits_which_can_be_turned_off():
    assert (Settings(public=True).key_limit.rate, Settings(public=True).address_limit.burst) == (10, 200)
    assert Settings(public=True, key_rate=0.0).key_limit is None
    assert Settings().address_limit is None


def test_the_admin_key_is_refused_on_the_command_line_and_never_shown(run):
    code, output = run("--admin-key", "x" * 40)
    assert (code, "MOSAIC_TELEMETRY_ADMIN_KEY" in output) == (2, True)
    assert "secret-secret" not in repr(Settings(admin_key="secret-secret" * 4))


def test_the_page_has_every_setting_with_its_variable_and_help():
    page = (ROOT / "docs" / "self-hosting.md").read_text(encoding="utf-8")
    for item in fields(Settings):
        (row,) = re.findall(rf"^\|.*`{PREFIX}{item.name.upper()}`.*$", page, re.MULTILINE)
        assert item.metadata["about"] in row


def test_the_container_sets_variables_that_there_are():
    text = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
    known = {f"{PREFIX}{item.name.upper()}" for item in fields(Settings)} | {f"{PREFIX}DATABASE"}
    assert set(re.findall(rf"{PREFIX}\w+", text)) <= known
