"""The options of `serve`, made from the table of settings; each may also stand in the environment or in a TOML file."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import click

from mosaic_telemetry.server.settings import PREFIX, Settings, SettingsError, read_file

__all__ = ["settings_from", "settings_options"]

F = TypeVar("F", bound=Callable[..., Any])

_BESIDE = frozenset({"database"})
"""Options of `serve` that other commands have too, which the file may set as well."""


def settings_options(function: F) -> F:
    """Options for all settings, and `--config` for a file of them."""
    types_of = get_type_hints(Settings)
    for item in reversed(fields(Settings)):
        function = _option(item, types_of[item.name])(function)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        envvar=f"{PREFIX}CONFIG",
        is_eager=True,
        expose_value=False,
        callback=_read,
        help=f"TOML file with settings by their names, such as port = 8000. [env: {PREFIX}CONFIG]",
    )(function)


def settings_from(values: dict[str, Any]) -> Settings:
    """The settings that the options came to.

    Raises:
        click.UsageError: a value cannot be.
    """
    try:
        return Settings(**values)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def _read(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        context.default_map = {**(context.default_map or {}), **read_file(path, _BESIDE)}
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def _option(item: Field[Any], hint: Any) -> Callable[[F], F]:
    flag = "--" + item.name.replace("_", "-")
    variable = PREFIX + item.name.upper()
    about = f"{item.metadata['about']} [env: {variable}]"
    if item.metadata["secret"]:  # never on a command line, which all users of a machine can read: in the environment and the file alone
        return click.option(flag, item.name, envvar=variable, default=item.default, hidden=True, callback=_no_flag)
    if hint is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", item.name, envvar=variable, default=item.default, show_default=True, help=about)
    given = isinstance(item.default, (str, int, float)) and item.default != ""
    return click.option(flag, item.name, type=_type(item, hint), envvar=variable, default=item.default, show_default=given, help=about)


def _type(item: Field[Any], hint: Any) -> Any:
    if item.metadata["choices"]:
        return click.Choice(item.metadata["choices"])
    plain = next(kind for kind in get_args(hint) if kind is not types.NoneType) if get_args(hint) else hint
    if plain is int:
        return click.IntRange(*item.metadata["bounds"])
    if plain is float:
        return click.FloatRange(*item.metadata["bounds"])
    return str


def _no_flag(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError(f"everybody on this machine can read a command line: set {PREFIX}{(parameter.name or '').upper()} instead")
    return value
