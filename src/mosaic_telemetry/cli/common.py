"""What the commands share: options, output as a table or as JSON, and errors in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click
from click.core import ParameterSource

from mosaic_telemetry.cli.places import database_path

__all__ = [
    "Database",
    "DatabaseParam",
    "asked_server",
    "database_option",
    "default_database",
    "is_missing",
    "json_option",
    "place_of",
    "print_json",
    "server_option",
    "server_options",
    "spool_option",
    "to_database",
]

F = TypeVar("F", bound=Callable[..., Any])

Database: TypeAlias = Path | str
"""A SQLite file, or the URL of another database."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text for a person.")


server_option = click.option(
    "--server",
    metavar="URL",
    envvar=["MOSAIC_TELEMETRY_SERVER_URL", "TELEMETRY_API_URL"],
    help="Server to talk to. [env: MOSAIC_TELEMETRY_SERVER_URL]",
)

_key_option = click.option(
    "--api-key",
    metavar="KEY",
    envvar=["MOSAIC_TELEMETRY_API_KEY", "TELEMETRY_API_KEY"],
    help="API key of your instance. [env: MOSAIC_TELEMETRY_API_KEY]",
)

_instance_option = click.option(
    "--instance-id",
    metavar="UUID",
    envvar=["MOSAIC_TELEMETRY_INSTANCE_ID", "TELEMETRY_INSTANCE_ID"],
    help="Your instance's id. [env: MOSAIC_TELEMETRY_INSTANCE_ID]",
)


def server_options(function: F) -> F:
    """Options that name a server and the credentials for it, each with its environment variable."""
    for option in (_instance_option, _key_option, server_option):
        function = option(function)
    return function


spool_option = click.option(
    "--spool-dir",
    metavar="PATH",
    envvar="MOSAIC_TELEMETRY_SPOOL_DIR",
    help="Directory of all spools, instead of the one in the user's state directory. [env: MOSAIC_TELEMETRY_SPOOL_DIR]",
)


def asked_server(server: str | None) -> str | None:
    """The server to ask, or None for the database: what is named on the command line goes before the environment, a server before a database.

    Raises:
        click.UsageError: the command line names both.
    """
    context = click.get_current_context()
    by_hand = {name for name in ("server", "database") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if len(by_hand) == 2:
        raise click.UsageError("give --server or --database, not both")
    return None if "database" in by_hand else server


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(value, indent=2))


def default_database() -> Path:
    """Where the local database lies unless `--database` says otherwise: the user's data directory (XDG or the platform's)."""
    return Path(database_path())


def to_database(text: str) -> Database:
    """What a person calls a database: a URL stays as it is, all else is a path."""
    return text if "://" in text else Path(text)


def is_missing(database: Database) -> bool:
    """Whether it is a file that is not there; what is behind a URL shows when it is opened."""
    return isinstance(database, Path) and not database.exists()


def place_of(database: Database) -> Path:
    """The file by which local notes about a database go: itself; the default one for what is behind a URL."""
    return database if isinstance(database, Path) else default_database()


class DatabaseParam(click.ParamType):  # type: ignore[type-arg]  # a generic in the newest click only
    """A SQLite file, or the URL of a PostgreSQL or a ClickHouse database."""

    name = "database"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Database:  # noqa: ARG002 - click's signature
        return value if isinstance(value, Path) else to_database(str(value))


database_option = click.option(
    "--database",
    type=DatabaseParam(),
    metavar="PATH|URL",
    envvar="MOSAIC_TELEMETRY_DATABASE",
    default=default_database,
    show_default="telemetry.db in the user's data directory",
    help="SQLite file, or a database of PostgreSQL, postgresql://…, or ClickHouse, clickhouse://…. [env: MOSAIC_TELEMETRY_DATABASE]",
)
