"""`mosaic-telemetry config`: every setting and where it comes from."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mosaic_telemetry.cli.common import json_option, print_json

if TYPE_CHECKING:
    from mosaic_telemetry.cli.configured import Configured

__all__ = ["command"]


@click.command()
@click.option(
    "--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="TOML file of the server's settings, instead of that in MOSAIC_TELEMETRY_CONFIG."
)
@json_option
def command(file: Path | None, *, as_json: bool) -> None:
    """Show each setting of SDK, commands and server, and whether it comes from a variable, a file or is the default.

    Secrets are not shown, only how a key ends. Exits with 1 where something does not fit, or a name is unknown.

    \b
    Examples:
      mosaic-telemetry config
      mosaic-telemetry config --config server.toml --json
    """
    from mosaic_telemetry.cli.configured import configured

    found = configured(os.environ, file)
    if as_json:
        print_json({"settings": {section: [asdict(value) for value in values] for section, values in found.sections.items()}, "problems": found.problems})
    else:
        _show(found)
    if found.problems:
        raise click.exceptions.Exit(1)


def _show(found: Configured) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for section, values in found.sections.items():
        console.print(f"[bold]{section}[/bold]")
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for one in values:
            table.add_row(one.name, Text(_in_words(one.value)), Text(one.source, style="dim" if one.source == "default" else ""))
        console.print(table)
    for problem in found.problems:
        click.echo(problem, err=True)


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)
