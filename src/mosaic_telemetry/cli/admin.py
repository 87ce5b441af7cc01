"""`mosaic-telemetry admin`: issue instances and API keys."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import click

from mosaic_telemetry.cli.common import Database, json_option, print_json
from mosaic_telemetry.cli.database import database_option, open_database
from mosaic_telemetry.engine import Credentials, UnknownInstanceError

__all__ = ["command"]


@click.group()
def command() -> None:
    """Issue instances and API keys; also while a server runs on the same database."""


@command.command("create-instance")
@database_option
@click.option("--name", default="", help="What to call it in `admin list`.")
@json_option
def create_instance(database: Database, name: str, *, as_json: bool) -> None:
    """Create an instance with an API key, which is shown this once."""
    with open_database(database) as engine:
        credentials = engine.create_instance(name)
    _show(credentials, as_json=as_json)


@command.command("list")
@database_option
@json_option
def list_instances(database: Database, *, as_json: bool) -> None:
    """List the instances; keys are never shown again."""
    with open_database(database) as engine:
        instances, keys, now_ms = engine.accounts.instances(), engine.accounts.keys(), engine.accounts.now_ms()
    working = Counter(key.instance for key in keys if key.works(now_ms))
    rows = [
        {
            "instance_id": str(instance.instance_id),
            "name": instance.name,
            "created": datetime.fromtimestamp(instance.created_ms // 1000, UTC).isoformat().replace("+00:00", "Z"),
            "keys": working[instance.number],
        }
        for instance in instances
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No instance yet: mosaic-telemetry admin create-instance")
    else:
        click.echo(f"{'instance':36}  {'created':20}  keys  name")
        for row in rows:
            click.echo(f"{row['instance_id']:36}  {row['created']:20}  {row['keys']:>4}  {row['name']}".rstrip())


@command.command("rotate-key")
@click.argument("instance", type=click.UUID)
@database_option
@json_option
def rotate_key(instance: UUID, database: Database, *, as_json: bool) -> None:
    """Revoke INSTANCE's keys at once and show a new one, this once."""
    with open_database(database) as engine:
        try:
            credentials = engine.accounts.rotate(instance).credentials
        except UnknownInstanceError as error:
            raise click.ClickException(str(error)) from error
    _show(credentials, as_json=as_json)


@command.command("revoke")
@click.argument("instance", type=click.UUID)
@database_option
@json_option
def revoke(instance: UUID, database: Database, *, as_json: bool) -> None:
    """Revoke INSTANCE's keys at once; its events stay."""
    with open_database(database) as engine:
        try:
            revoked = engine.accounts.revoke(instance)
        except UnknownInstanceError as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        print_json({"instance_id": str(instance), "revoked": revoked})
    else:
        click.echo(f"revoked {revoked} {'key' if revoked == 1 else 'keys'} of {instance}")


def _show(credentials: Credentials, *, as_json: bool) -> None:
    if as_json:
        print_json({"instance_id": str(credentials.instance_id), "api_key": credentials.api_key})
        return
    click.echo(f"instance id  {credentials.instance_id}\napi key      {credentials.api_key}\n")
    click.echo("The key is not shown again. To report events:\n")
    click.echo(f"  export MOSAIC_TELEMETRY_INSTANCE_ID={credentials.instance_id}")
    click.echo(f"  export MOSAIC_TELEMETRY_API_KEY={credentials.api_key}")
