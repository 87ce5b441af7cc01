"""`mosaic-telemetry erase`: take back what an instance has reported."""

from __future__ import annotations

from uuid import UUID

import click

from mosaic_telemetry.cli.common import Database, asked_server, database_option, is_missing, json_option, print_json, server_options

__all__ = ["command"]


@click.command()
@server_options
@database_option
@click.option("--yes", is_flag=True, help="Do not ask whether this is meant.")
@json_option
def command(server: str | None, api_key: str | None, instance_id: str | None, database: Database, *, yes: bool, as_json: bool) -> None:
    """Erase an instance's events, and its share of every prediction.

    On a server with the instance's own API key, or the admin key. Without a server, in the database on this machine: the instance
    that is named, or the one under which commands report there. It cannot be undone.

    \b
    Examples:
      mosaic-telemetry erase
      mosaic-telemetry erase --server http://localhost:8000 --yes
    """
    asked = asked_server(server)
    if asked and not (api_key and instance_id):
        raise click.UsageError("erasing on a server takes --api-key and --instance-id, or MOSAIC_TELEMETRY_API_KEY and MOSAIC_TELEMETRY_INSTANCE_ID")
    name = _named(instance_id) if asked or _by_hand() else None
    if not asked and is_missing(database):
        raise click.ClickException(f"no database at {database}: there is nothing to erase")
    if not yes:
        whose = f"all events of instance {name}" if name else "all events that were collected on this machine"
        click.confirm(f"Erase {whose} in {asked or database}? This cannot be undone", abort=True, err=True)
    erased = _on_server(asked, name, api_key) if asked and name else _in_database(database, name)
    if as_json:
        print_json({"instance_id": None if name is None else str(name), "erased": erased})
    else:
        click.echo(f"erased {erased:,} event{'s' if erased != 1 else ''}, and their share of every prediction")


def _by_hand() -> bool:
    """Whether the instance was named on the command line: what the environment says is of a server."""
    return click.get_current_context().get_parameter_source("instance_id") is click.core.ParameterSource.COMMANDLINE


def _named(instance_id: str | None) -> UUID:
    try:
        return UUID(instance_id or "")
    except ValueError as error:
        raise click.UsageError(f"--instance-id: {instance_id!r} is no UUID") from error


def _on_server(server: str, name: UUID, api_key: str | None) -> int:
    from mosaic_telemetry.cli.remote import ask_server

    answer = ask_server(server, f"/v1/instances/{name}/events", api_key=api_key, method="DELETE")
    return int(answer["erased"])


def _in_database(database: Database, name: UUID | None) -> int:
    from mosaic_telemetry.cli.database import open_database
    from mosaic_telemetry.cli.progress import LateBar
    from mosaic_telemetry.engine import UnknownInstanceError

    with open_database(database) as engine:
        try:
            instance = engine.local_instance() if name is None else engine.accounts.instance(name)
        except UnknownInstanceError as error:
            raise click.ClickException(str(error)) from error
        with LateBar("erasing") as bar:
            erased = engine.erase(instance, bar.reach)
        engine.accounts.note("cli", "instance.erase", instance.instance_id, events=erased)
        return erased
