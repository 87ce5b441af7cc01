"""What the settings of SDK, commands and server come to, and where each value comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from mosaic_telemetry.cli.common import default_database
from mosaic_telemetry.cli.settings import settings_options
from mosaic_telemetry.client import TelemetryConfig, resolve_config
from mosaic_telemetry.client.config import VARIABLES, do_not_track
from mosaic_telemetry.schema import ValidationError
from mosaic_telemetry.server.settings import PREFIX, SettingsError, read_file

__all__ = ["KNOWN", "Configured", "Value", "configured"]

_COMMANDS = {"database": f"{PREFIX}DATABASE", "prices": f"{PREFIX}PRICES", "signing_key": f"{PREFIX}SIGNING_KEY", "config": f"{PREFIX}CONFIG"}
_SECRET = frozenset({"api_key", "admin_key"})
_SERVER = click.Command("serve", params=settings_options(click.Command("serve")).params)
_SERVER_PARAMS = [one for one in reversed(_SERVER.params) if one.name != "config"]
for _one in _SERVER_PARAMS:
    _one.envvar = None  # these are our own copies: what they read is handed to them
_HINT = 6  # characters at a key's end by which it is known elsewhere too
_LONG = 32  # a key shorter than this would be told by its hint

KNOWN = frozenset(
    {variable for variables in VARIABLES.values() for variable in variables}
    | set(_COMMANDS.values())
    | {f"{PREFIX}{(one.name or '').upper()}" for one in _SERVER_PARAMS}
)
"""Every variable that is read."""


@dataclass(frozen=True, slots=True)
class Value:
    """A setting.

    Attributes:
        name: as in the documents.
        value: what it comes to; of a secret only how it ends.
        source: "default", or the variable or file that it comes from.
    """

    name: str
    value: Any
    source: str = "default"


@dataclass(slots=True)
class Configured:
    """All settings, by who reads them, and what is wrong with them in one line each."""

    sections: dict[str, list[Value]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def configured(env: Mapping[str, str], file: Path | None) -> Configured:
    """What an environment and a file of server settings come to.

    Args:
        env: the environment.
        file: of settings of the server; without it the one that the environment names.
    """
    found = Configured()
    found.sections["SDK"] = _client(env, found.problems)
    found.sections["commands"] = _commands(env)
    named = file or (Path(env[_COMMANDS["config"]]) if env.get(_COMMANDS["config"]) else None)
    found.sections["server"] = list(_server(env, named, found.problems))
    for name in sorted(set(env) - KNOWN):
        if name.startswith(PREFIX):
            near = get_close_matches(name, KNOWN, 1)
            found.problems.append(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def _client(env: Mapping[str, str], problems: list[str]) -> list[Value]:
    sources = {name: next((variable for variable in variables if env.get(variable)), None) for name, variables in VARIABLES.items()}
    try:
        config = TelemetryConfig.from_env(env, enabled=False)  # what is not set is no error here
    except ValidationError as error:
        problems += map(str, error.errors)
        wrong = {sources.get(one.field, one.field) or "" for one in error.errors} | {one.field for one in error.errors}
        config = TelemetryConfig.from_env({name: text for name, text in env.items() if name not in wrong}, enabled=False)
    resolved = resolve_config(config, env)
    values = {name: getattr(resolved, name) for name in sources}
    untracked = do_not_track(env)
    values["enabled"] = not untracked and TelemetryConfig("http://localhost", "-", "-", enabled=_switched_on(env, sources["enabled"])).enabled
    if untracked:
        sources["enabled"] = "DO_NOT_TRACK"
    return [Value(name, _shown(name, value), sources[name] or "default") for name, value in values.items()]


def _switched_on(env: Mapping[str, str], variable: str | None) -> bool:
    """What the SDK makes of its switch."""
    trio = {VARIABLES[name][0]: "http://localhost" for name in ("server_url", "api_key", "instance_id")}
    return TelemetryConfig.from_env(trio if variable is None else {**trio, variable: env[variable]}).enabled


def _commands(env: Mapping[str, str]) -> list[Value]:
    values = [Value(name, _shown(name, env[variable]), variable) if env.get(variable) else Value(name, None) for name, variable in _COMMANDS.items()]
    return [Value("database", str(default_database())) if one == Value("database", None) else one for one in values]


def _server(env: Mapping[str, str], file: Path | None, problems: list[str]) -> Iterator[Value]:
    """As `serve` reads them: each option by itself, so that a bad one hides no other."""
    settings: dict[str, Any] = {}
    if file is not None:
        try:
            settings = read_file(file, frozenset({"database"}))
        except SettingsError as error:
            problems.append(str(error))
    for option in _SERVER_PARAMS:
        name = option.name or ""
        variable = f"{PREFIX}{name.upper()}"
        given, source = (env[variable], variable) if env.get(variable) else (settings[name], str(file)) if name in settings else (None, "default")
        try:
            context = click.Command("serve", params=[option]).make_context("serve", [], default_map={} if given is None else {name: given})
        except click.UsageError as error:
            problems.append(f"{source}: {error.format_message()}")
            yield Value(name, None, source)
        else:
            yield Value(name, _shown(name, context.params[name]), source)


def _shown(name: str, value: Any) -> Any:
    """A value without what is secret in it."""
    if name in _SECRET:
        return (f"set, …{value[-_HINT:]}" if len(value) >= _LONG else "set") if value else None
    return re.sub(r"//[^@/\s]*@", "//…@", value) if isinstance(value, str) else value
