"""`mosaic-telemetry statusline` for the command line's help; what runs is `statusline_start`, which needs none of its imports."""

from __future__ import annotations

import sys

import click

from mosaic_telemetry.cli.common import json_option

__all__ = ["command"]


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """Print a status line for Claude Code, from its JSON on standard input.

    It says the model, what this session has cost, what was spent today (UTC), and what the model's successes cost in the last
    30 days: from the database on this machine, which `collect` or the hook fills. No network.

    \b
    In ~/.claude/settings.json:
      "statusLine": {"type": "command", "command": "mosaic-telemetry statusline"}

    \b
    Examples:
      mosaic-telemetry statusline < payload.json
      mosaic-telemetry statusline --json < payload.json
    """
    from mosaic_telemetry.cli.statusline_start import main

    sys.exit(main(as_json=as_json))
