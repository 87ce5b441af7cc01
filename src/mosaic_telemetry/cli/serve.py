"""`mosaic-telemetry serve`: run the server."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any, Literal

import click
from starlette.types import ASGIApp

from mosaic_telemetry.cli.common import Database, is_missing, json_option, place_of
from mosaic_telemetry.cli.database import database_option, open_database
from mosaic_telemetry.cli.settings import settings_from, settings_options
from mosaic_telemetry.engine import Admission, DatabaseError, Engine, Retention, name_of, open_engine
from mosaic_telemetry.server import Settings, bind, create_app, reserve, run, run_workers
from mosaic_telemetry.server.logs import configure
from mosaic_telemetry.server.metrics import shared_metrics
from mosaic_telemetry.server.opening import answering_meanwhile
from mosaic_telemetry.server.tracing import open_tracing
from mosaic_telemetry.server.workers import listening

__all__ = ["command"]


@click.command()
@settings_options
@database_option
@json_option
def command(database: Database, *, as_json: bool, **values: Any) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    It needs nothing but a SQLite file, and takes a PostgreSQL or a ClickHouse database as well. Instances and API keys come from
    `mosaic-telemetry admin create-instance`, also while the server runs. The API's documentation is at /v1/docs.

    A setting is looked for on the command line, then in the environment, then in the file that --config names.

    \b
    Examples:
      mosaic-telemetry serve
      mosaic-telemetry serve --host 0.0.0.0 --port 8080 --workers 2
      mosaic-telemetry serve --database postgresql://localhost/telemetry --public
    """
    settings = settings_from(values)
    host, port, workers = settings.host, settings.port, settings.workers
    configure(settings.log_level, settings.log_format, secrets=[settings.admin_key])
    if workers > 1 and not hasattr(os, "fork"):
        raise click.ClickException("several workers need a Unix system; run one here, without --workers")
    bound = _bound(host, port, alone=workers == 1)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{bound.getsockname()[1]}"
    told: dict[str, str] = {"url": url, "database": name_of(database)}

    def ready() -> None:
        if as_json:
            click.echo(json.dumps(told))
            return
        click.echo(f"mosaic-telemetry server listening on {url} (database {told['database']})")
        if "admin_key" in told:
            click.echo(f"admin key {told['admin_key']} (not shown again; `mosaic-telemetry admin create-admin-key` makes another)")

    made = _app_maker(settings, database)
    retention = Retention(event_days=settings.keep_days)
    admission: Admission | Literal[False] = Admission(settings.trial_days) if settings.public else False

    def opened_again(keep: bool) -> AbstractContextManager[Engine]:  # noqa: FBT001 - as `run_workers` calls it
        if is_missing(database):  # a process that is started anew makes no new one, which knows no key
            raise DatabaseError(f"the database {database} was deleted or moved away while in use; put it back, or restart to begin a new one")
        return open_engine(database, keep=keep, retention=retention, admission=admission)

    with bound, shared_metrics() if workers > 1 else nullcontext():
        with ExitStack() as stack:
            with answering_meanwhile(bound.dup if workers == 1 else partial(listening, bound), settings):
                engine = stack.enter_context(open_database(database, keep=workers == 1, retention=retention, admission=admission))
            if not settings.admin_key and (key := engine.accounts.make_admin_key(actor="server")):
                told["admin_key"] = key
            if workers == 1:
                with made(engine) as app:
                    run(app, bound, ready, patience=settings.patience)
                return
        # The database was made or brought up to date, and is closed again: no connection may pass through a fork.
        code = run_workers(workers, bound, made, opened_again, ready, patience=settings.patience)
    if code:
        raise SystemExit(code)


def _app_maker(settings: Settings, database: Database) -> Callable[[Engine], AbstractContextManager[ASGIApp]]:
    """What makes the application, in the process that will run it."""
    extend = None
    if settings.otlp:
        from mosaic_telemetry.cli.otlp import add_receiver

        place = place_of(database)
        extend = partial(add_receiver, path=place.with_name(f"{place.name}-otlp"), quiet_s=settings.otlp_quiet)
    if settings.trace_endpoint:
        import_module("mosaic_telemetry.server.spans")  # now, so that an extra that is missing is said in one line

    @contextmanager
    def made(engine: Engine) -> Iterator[ASGIApp]:
        with open_tracing(settings.trace_endpoint, os.environ) as tracing:
            yield create_app(engine, settings, extend, tracing)

    return made


def _bound(host: str, port: int, *, alone: bool) -> socket.socket:
    """The address; one line says why where it cannot be had."""
    try:
        return bind(host, port) if alone else reserve(host, port)
    except OSError as error:
        why = error.strerror or str(error)
        raise click.ClickException(f"cannot listen on {host} port {port}: {why}; choose another with --host and --port") from error
