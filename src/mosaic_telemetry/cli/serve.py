"""`mosaic-telemetry serve`: run the server."""

from __future__ import annotations

import json
import logging
import os
from contextlib import AbstractContextManager

import click
from starlette.applications import Starlette

from mosaic_telemetry.cli.common import Database, json_option, place_of
from mosaic_telemetry.cli.database import database_option, open_database
from mosaic_telemetry.engine import TRIAL_DAYS, Admission, Engine, Retention, name_of
from mosaic_telemetry.server import bind, create_app, reserve, run, run_workers

__all__ = ["command"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every one of this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port to listen on; 0 for any free one.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that answer requests. From 2 on one more keeps the statistics, and one watches over all of them.",
)
@click.option("--otlp", is_flag=True, help="Take the OpenTelemetry of Claude Code, Codex and Gemini CLI as well: /v1/logs, /v1/metrics.")
@click.option(
    "--otlp-quiet",
    type=click.FloatRange(min=0, min_open=True),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Time without a word after which a task that came by --otlp counts as finished.",
)
@click.option(
    "--public",
    is_flag=True,
    help="For instances that do not know each other: none counts for more than 20 tasks in a prediction, and fewer than 5 are not shown.",
)
@click.option(
    "--trial-days",
    type=click.FloatRange(min=0),
    default=TRIAL_DAYS,
    show_default=True,
    metavar="DAYS",
    help="With --public: days after its creation in which the events of an instance do not count.",
)
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DAYS",
    help="Delete events so long after receipt, but not before they have left the 180 days that predictions look back.  [default: keep them]",
)
@database_option
@json_option
def command(
    host: str,
    port: int,
    workers: int,
    database: Database,
    *,
    otlp: bool,
    otlp_quiet: float,
    public: bool,
    trial_days: float,
    keep_days: float | None,
    as_json: bool,
) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    It needs nothing but a SQLite file, and takes a PostgreSQL database as well. Instances and API keys come from
    `mosaic-telemetry admin create-instance`, also while the server runs. The API's documentation is at /v1/docs.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if workers > 1 and not hasattr(os, "fork"):
        raise click.ClickException("several workers need a Unix system; run one here, without --workers")
    try:
        bound = bind(host, port) if workers == 1 else reserve(host, port)
    except OSError as error:
        why = error.strerror or str(error)
        raise click.ClickException(f"cannot listen on {host} port {port}: {why}; choose another with --host and --port") from error
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{bound.getsockname()[1]}"
    line = json.dumps({"url": url, "database": name_of(database)}) if as_json else f"mosaic-telemetry server listening on {url} (database {name_of(database)})"

    def ready() -> None:
        click.echo(line)

    def new_app(engine: Engine) -> Starlette:
        app = create_app(engine)
        if not otlp:
            return app
        from mosaic_telemetry.cli.otlp import add_receiver

        place = place_of(database)
        return add_receiver(app, place.with_name(f"{place.name}-otlp"), otlp_quiet)

    def opened(*, keep: bool) -> AbstractContextManager[Engine]:
        return open_database(database, keep=keep, retention=Retention(event_days=keep_days), admission=Admission(trial_days) if public else False)

    with bound:
        with opened(keep=workers == 1) as engine:
            if workers == 1:
                run(new_app(engine), bound, ready)
                return
        # The database was made or brought up to date, and is closed again: no connection may pass through a fork.
        code = run_workers(workers, bound, new_app, lambda keep: opened(keep=keep), ready)
    if code:
        raise SystemExit(code)
