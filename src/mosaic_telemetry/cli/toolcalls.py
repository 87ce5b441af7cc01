"""Commands as tools that a program can call: their options as a JSON schema, arguments back to words, answers as JSON.

The options are read from the command itself, so that what an agent may ask never differs from what a person may type. Options that
choose a server, a key or a file stay with the person.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

__all__ = ["AskError", "ask", "describe", "schema", "words"]

_WITHHELD = frozenset({"api_key", "as_json", "database", "help", "instance_id", "server"})
_SECONDS = 60.0


class AskError(Exception):
    """Why there is no answer, in one line."""


def _offered(command: click.Command) -> Iterator[click.Parameter]:
    """The parameters that an agent may use."""
    for parameter in command.params:
        hidden = isinstance(parameter, click.Option) and parameter.hidden
        if parameter.name not in _WITHHELD and not hidden and not isinstance(parameter.type, (click.Path, click.File)):
            yield parameter


def describe(command: click.Command) -> str:
    """What a command does, without its examples and without the words for a terminal."""
    return inspect.cleandoc(command.help or "").partition("\b")[0].strip()


def schema(command: click.Command) -> dict[str, Any]:
    """The JSON schema of the arguments that a command takes."""
    properties = {str(parameter.name): _property(parameter) for parameter in _offered(command)}
    required = [str(parameter.name) for parameter in _offered(command) if parameter.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(parameter: click.Parameter) -> dict[str, Any]:
    kind = parameter.type
    about: dict[str, Any]
    if isinstance(kind, click.Choice):
        about = {"type": "string", "enum": [str(choice) for choice in kind.choices]}
    elif isinstance(parameter, click.Option) and parameter.is_flag:
        about = {"type": "boolean"}
    elif isinstance(kind, click.types.IntParamType):
        about = {"type": "integer"}
    elif isinstance(kind, click.types.FloatParamType):
        about = {"type": "number"}
    else:
        about = {"type": "string"}
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        about |= {name: bound for name, bound in (("minimum", kind.min), ("maximum", kind.max)) if bound is not None}
    if parameter.multiple or parameter.nargs != 1:
        about = {"type": "array", "items": about}
    if isinstance(parameter, click.Option) and parameter.help:
        about["description"] = parameter.help
    return about


def words(command: click.Command, arguments: Mapping[str, Any]) -> list[str]:
    """What a person would type for these arguments, and `--json`.

    Raises:
        AskError: an argument that the command does not offer, or of another type.
    """
    offered = {str(parameter.name): parameter for parameter in _offered(command)}
    if unknown := sorted(arguments.keys() - offered.keys()):
        raise AskError(f"no such argument: {', '.join(unknown)}; there are {', '.join(offered)}")
    typed, positional = [], []
    for name, value in arguments.items():
        parameter = offered[name]
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, (str, int, float)):
                raise AskError(f"{name}: {item!r} is neither text, a number, true nor false")
            if not isinstance(parameter, click.Option):
                positional.append(str(item))
            elif not parameter.is_flag:
                typed.append(f"{parameter.opts[0]}={item}")  # one word: a value that begins with a dash stays a value
            elif item is True:
                typed.append(parameter.opts[0])
            elif parameter.secondary_opts and item is False:
                typed.append(parameter.secondary_opts[0])
    return [*typed, "--json", *(["--", *positional] if positional else [])]


def ask(name: str, command: click.Command, arguments: Mapping[str, Any], env: Mapping[str, str]) -> Any:
    """A command's JSON answer, from a process of its own, whose output can mix with nothing.

    Raises:
        AskError: it failed; the text is its own one line.
    """
    line = [sys.executable, "-m", "mosaic_telemetry", name, *words(command, arguments)]
    try:
        # no shell reads the words, and options are whole words of ours
        done = subprocess.run(line, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603 - as said
    except subprocess.TimeoutExpired:
        raise AskError(f"no answer within {_SECONDS:g} s") from None
    if done.returncode:
        raise AskError(done.stderr.strip().rpartition("\n")[2].removeprefix("Error: ") or f"exit code {done.returncode}")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise AskError("it answered with something that is no JSON") from None
