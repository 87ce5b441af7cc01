"""`mosaic-telemetry hook`: report a task the moment that it is finished, from the harness's own hooks."""

from __future__ import annotations

import difflib
import os
import shlex
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from mosaic_telemetry.cli.common import json_option, print_json
from mosaic_telemetry.cli.hook_settings import SettingsError, with_hook, without_hook
from mosaic_telemetry.cli.hook_start import EVENTS, main

__all__ = ["command"]


@click.group()
def command() -> None:
    """Report each task the moment that it is finished, from the harness's own hooks.

    \b
    Examples:
      mosaic-telemetry hook install claude-code
      mosaic-telemetry hook remove claude-code
    """


@command.command("claude-code", short_help="What Claude Code calls.")
def run() -> None:
    """What Claude Code calls: takes the payload of a hook on standard input.

    Returns at once, always with exit code 0 and nothing on standard output. Where events go to is told by
    MOSAIC_TELEMETRY_SERVER_URL, MOSAIC_TELEMETRY_API_KEY and MOSAIC_TELEMETRY_INSTANCE_ID; without any of them they go into the
    database on this machine. What goes wrong stands in hook.log in the state directory.

    \b
    Example:
      mosaic-telemetry hook claude-code < payload.json
    """
    sys.exit(main())


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What `install` and `remove` share."""
    for option in (
        json_option,
        click.option("--yes", "-y", is_flag=True, help="Do it without asking."),
        click.option("--project", is_flag=True, help="The settings of the project in this folder: .claude/settings.json."),
        click.option("--settings", type=click.Path(path_type=Path, dir_okay=False), metavar="PATH", help="Another settings file."),
        click.argument("harness", type=click.Choice(["claude-code"])),
    ):
        function = option(function)
    return function


@command.command(short_help="Write the hook into Claude Code's settings.")
@_options
def install(harness: str, settings: Path | None, *, project: bool, yes: bool, as_json: bool) -> None:  # noqa: ARG001 - there is one harness so far
    """Write the hook into Claude Code's settings: ~/.claude/settings.json unless told otherwise.

    What stands there stays. The change is shown before it is made, and the file as it was is kept beside it.

    \b
    Examples:
      mosaic-telemetry hook install claude-code
      mosaic-telemetry hook install claude-code --project --yes
    """
    words = shlex.join([str(_program()), "hook", "claude-code"])
    _change(_path(settings, project=project), lambda text: with_hook(text, words, EVENTS), yes=yes, as_json=as_json)


@command.command()
@_options
def remove(harness: str, settings: Path | None, *, project: bool, yes: bool, as_json: bool) -> None:  # noqa: ARG001 - as above
    """Take the hook out of Claude Code's settings again.

    \b
    Example:
      mosaic-telemetry hook remove claude-code
    """
    _change(_path(settings, project=project), without_hook, yes=yes, as_json=as_json)


def _program() -> Path:
    """Our own command, by its full path: the harness may be started where the PATH is another."""
    called = Path(sys.argv[0])
    beside = Path(sys.executable).parent / ("mosaic-telemetry.exe" if sys.platform == "win32" else "mosaic-telemetry")
    return beside if beside.exists() or called.stem != "mosaic-telemetry" else called.absolute()


def _path(settings: Path | None, *, project: bool) -> Path:
    if settings is not None and project:
        raise click.UsageError("give --settings or --project, not both")
    if settings is not None:
        return settings
    if project:
        return Path(".claude", "settings.json")
    named = os.environ.get("CLAUDE_CONFIG_DIR", "").split(",")[0].strip()
    return (Path(named).expanduser() if named else Path.home() / ".claude") / "settings.json"


def _change(path: Path, change: Callable[[str], str], *, yes: bool, as_json: bool) -> None:
    """Change a settings file: show it, ask, keep a copy, write it whole or not at all."""
    place = path.resolve()  # a settings file is often a link into a folder under version control
    try:
        before = place.read_bytes().decode() if place.exists() else ""
        after = change(before)
    except (OSError, UnicodeDecodeError, SettingsError) as error:
        why = getattr(error, "strerror", None) or error
        raise click.ClickException(f"{path}: {why}. Nothing was changed.") from error
    if after == before:
        if as_json:
            print_json({"settings": str(path), "changed": False, "backup": None})
        else:
            click.echo(f"{path} is as it should be: nothing to change.")
        return
    names = (str(path), f"{path} (new)")
    click.echo("".join(difflib.unified_diff(before.splitlines(keepends=True), _ended(after).splitlines(keepends=True), *names)), err=as_json)
    if not yes and not _agreed():
        raise click.ClickException("nothing was changed")
    try:
        backup = _replace(place, before, after)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}. Nothing was changed.") from error
    if as_json:
        print_json({"settings": str(path), "changed": True, "backup": str(backup) if backup else None})
        return
    click.echo(f"Written: {path}" + (f" (as it was: {backup})" if backup else ""))
    click.echo("Sessions of Claude Code that begin from now on follow it.")


def _agreed() -> bool:
    try:
        return click.confirm("Write this?", err=True)
    except click.Abort as error:
        raise click.ClickException("nobody answered: nothing was changed; --yes writes without asking") from error


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _replace(place: Path, before: str, after: str) -> Path | None:
    """Put `after` in the place of `before`; returns where that is kept.

    Raises:
        OSError: it cannot be written, or somebody else changed it meanwhile; it is as it was then.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    existed = place.exists()
    mode = place.stat().st_mode & 0o777 if existed else 0o600
    backup = place.with_name(f"{place.name}.{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}.bak")
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        if existed:
            backup.touch(mode, exist_ok=False)
            backup.write_bytes(before.encode())
        _check_untouched(place, before)
        Path(name).replace(place)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return backup if existed else None


def _check_untouched(place: Path, before: str) -> None:
    if (place.read_bytes().decode() if place.exists() else "") != before:
        raise OSError("it was changed by another program at the same moment; try again")
