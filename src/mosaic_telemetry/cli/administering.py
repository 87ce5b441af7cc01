"""Where `mosaic-telemetry admin` does its work: on the database, or on a server with the admin key; both tell the same."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from mosaic_telemetry.cli.common import Database, asked_server, is_missing
from mosaic_telemetry.cli.database import database_option, open_database
from mosaic_telemetry.cli.remote import ask_server
from mosaic_telemetry.engine import AccountError
from mosaic_telemetry.engine.administration import Administration

__all__ = ["SPAN", "Place", "place_options", "user"]

F = TypeVar("F", bound=Callable[..., Any])

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class _Span(click.ParamType):  # type: ignore[type-arg]  # a generic in the newest click only
    """A time such as 90d, 12h or 30m; seconds without a letter."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        number, unit = (value[:-1], value[-1:]) if value[-1:] in _SECONDS else (value, "s")
        try:
            seconds = float(number) * _SECONDS[unit]
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < 3.2e9:
            self.fail(f"{value!r} is no time such as 90d, 12h or 30m", param, ctx)
        return seconds


SPAN = _Span()


def place_options(function: F) -> F:
    """Options that say where: `--database`, or `--server` with `--admin-key`."""
    key = click.option(
        "--admin-key", metavar="KEY", envvar="MOSAIC_TELEMETRY_ADMIN_KEY", help="With --server: its admin key. [env: MOSAIC_TELEMETRY_ADMIN_KEY]"
    )
    server = click.option("--server", metavar="URL", help="Server to ask, instead of working on the database.")
    return database_option(server(key(function)))


@dataclass(frozen=True, slots=True)
class Place:
    """A database, or a server.

    Attributes:
        database: the database.
        server: the server, or None for the database.
        admin_key: for the server.
    """

    database: Database
    server: str | None
    admin_key: str | None

    def ask(
        self,
        act: Callable[[Administration], Any],
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str | None] | None = None,
        makes: bool = False,
    ) -> Any:
        """What an act on the database or the same request to the server answers, as JSON values.

        With `makes`, a database is made where there is none.

        Raises:
            click.ClickException: one line, where it cannot be done.
        """
        import msgspec

        sent = None if body is None else msgspec.to_builtins(body)
        server = asked_server(self.server)
        if server is not None:
            if not self.admin_key:
                raise click.UsageError("--server needs the admin key: set MOSAIC_TELEMETRY_ADMIN_KEY")
            return ask_server(server, f"/v1/admin{path}", query=query, api_key=self.admin_key, method=method, body=sent)
        if not makes and is_missing(self.database):
            raise click.ClickException(f"no database at {self.database}: `mosaic-telemetry admin create-instance` makes one, or name another with --database")
        with open_database(self.database) as engine:
            try:
                return msgspec.to_builtins(act(Administration(engine, f"cli:{user()}")))
            except AccountError as error:
                raise click.ClickException(str(error)) from error


def user() -> str:
    """Whose account it is, for the audit log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return "unknown"
