"""`mosaic-telemetry statusline` for the command line's help; what runs is `statusline_start`, which needs none of its imports."""

from __future__ import annotations

import sys

import click

__all__ = ["command"]


@click.command()
def command() -> None:
    """Print a status line for Claude Code, from its JSON on standard input.

    It says the model, what this session has cost, what was spent today (UTC), and what the model's successes cost in the last
    30 days: from the database on this machine, which `collect` or the hook fills. No network.

    \b
    In ~/.claude/settings.json:
      "statusLine": {"type": "command", "command": "mosaic-telemetry statusline"}
    """
    from mosaic_telemetry.cli.statusline_start import main

    sys.exit(main())
