"""`mosaic-telemetry serve`: run the server."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import click

from mosaic_telemetry.cli.common import json_option
from mosaic_telemetry.cli.database import database_option, open_database
from mosaic_telemetry.server import bind, create_app, run

__all__ = ["command"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every one of this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port to listen on; 0 for any free one.")
@database_option
@json_option
def command(host: str, port: int, database: Path, *, as_json: bool) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    It needs nothing but a SQLite file. Instances and API keys come from `mosaic-telemetry admin create-instance`, also while
    the server runs. The API's documentation is at /v1/docs.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        bound = bind(host, port)
    except OSError as error:
        why = error.strerror or str(error)
        raise click.ClickException(f"cannot listen on {host} port {port}: {why}; choose another with --host and --port") from error
    with bound, open_database(database) as engine:
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{bound.getsockname()[1]}"
        line = json.dumps({"url": url, "database": str(database)}) if as_json else f"mosaic-telemetry server listening on {url} (database {database})"
        run(create_app(engine), bound, ready=lambda: click.echo(line))
