"""`mosaic-telemetry flush`: send what waits in the spool."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from mosaic_telemetry.cli.common import json_option, print_json, server_options, spool_option

if TYPE_CHECKING:
    from mosaic_telemetry.cli.progress import LateBar
    from mosaic_telemetry.client import Stats

__all__ = ["command"]

_NEEDED = {"server_url": "--server", "api_key": "--api-key", "instance_id": "--instance-id"}


@click.command()
@server_options
@spool_option
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, metavar="SECONDS", help="Time to take at most.")
@json_option
def command(server: str | None, api_key: str | None, instance_id: str | None, spool_dir: str | None, timeout: float, *, as_json: bool) -> None:
    """Send the events that processes left in the spool when they ended, and say what became of them.

    Events that a running process holds are its own to send. Exits with 1 when events are left.

    \b
    Examples:
      mosaic-telemetry flush
      mosaic-telemetry flush --server http://localhost:8000
    """
    from mosaic_telemetry.cli.progress import LateBar
    from mosaic_telemetry.client import TelemetryClient, TelemetryConfig
    from mosaic_telemetry.collectors.sinks import wait_for
    from mosaic_telemetry.schema import ValidationError

    problems: list[str] = []
    given: dict[str, Any] = {"server_url": server, "api_key": api_key, "instance_id": instance_id, "spool_dir": spool_dir}
    try:
        config = TelemetryConfig.from_env(
            on_error=lambda error: problems.append(str(error)), max_queue_size=1_000_000, **{name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        if missing := [flag for name, flag in _NEEDED.items() if not given[name]]:
            raise click.UsageError(
                f"it is not said where to send: give {', '.join(missing)} or set MOSAIC_TELEMETRY_SERVER_URL, _API_KEY and _INSTANCE_ID; "
                "whoever runs the server issues key and id with `mosaic-telemetry admin create-instance`"
            ) from error
        raise click.UsageError("; ".join(map(str, error.errors))) from error
    client = TelemetryClient(config)
    if not client.config.enabled:
        raise click.ClickException("reporting is disabled (DO_NOT_TRACK or MOSAIC_TELEMETRY_ENABLED): nothing was sent")
    with LateBar("sending") as bar:
        delivered = wait_for(partial(client.stop, timeout), lambda: _reach(bar, client.stats))
    stats = client.stats
    if as_json:
        print_json({**asdict(stats), "delivered": delivered, "problems": problems})
    elif stats.sent == 0 and stats.queued == 0 and not problems:
        click.echo("Nothing waits.")
    else:
        click.echo(
            f"{stats.accepted:,} accepted, {stats.duplicate:,} known already, {stats.rejected:,} rejected, {stats.dropped:,} given up, {stats.queued:,} left."
        )
        for problem in dict.fromkeys(problems):
            click.echo(f"  {problem}", err=True)
    if not delivered:
        raise click.exceptions.Exit(1)


def _reach(bar: LateBar, stats: Stats) -> None:
    done = stats.accepted + stats.duplicate + stats.rejected + stats.dropped
    bar.reach(done, done + stats.queued)
