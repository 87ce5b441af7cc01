"""`mosaic-telemetry doctor`: what this machine's telemetry looks like."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from mosaic_telemetry.cli import numbers
from mosaic_telemetry.cli.common import json_option, print_json, spool_option

__all__ = ["command"]


@click.command()
@spool_option
@json_option
def command(spool_dir: str | None, *, as_json: bool) -> None:
    """Show what waits in the spool: for which server, how many events, and since when."""
    from mosaic_telemetry.client.config import TelemetryConfig, resolve_config
    from mosaic_telemetry.client.spoolinfo import summarise_spools

    override = {} if spool_dir is None else {"spool_dir": spool_dir}
    root = resolve_config(TelemetryConfig.from_env({"MOSAIC_TELEMETRY_ENABLED": "false"}, **override)).spool_dir
    spools = [] if root is None else summarise_spools(root)
    if as_json:
        print_json({"spool_dir": root, "spools": [asdict(spool) for spool in spools]})
        return
    click.echo(f"spool: {root}")
    for spool in spools:
        since = "" if spool.oldest is None else f", last written {numbers.duration(max(time.time() - spool.oldest, 0.0) * 1000)} ago"
        click.echo(f"  {spool.server_url or 'unknown server'}, instance {spool.instance_id or 'unknown'}")
        click.echo(f"    {spool.events:,} events in {spool.files} file{'s' if spool.files != 1 else ''}, {spool.size:,} bytes{since}")
    if not any(spool.events for spool in spools):
        click.echo("  nothing waits")
    else:
        click.echo("  `mosaic-telemetry flush` sends what no running process holds")
