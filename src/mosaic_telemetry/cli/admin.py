"""`mosaic-telemetry admin`: instances, API keys, usage and the audit log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from mosaic_telemetry.cli.admin_database import COMMANDS
from mosaic_telemetry.cli.administering import SPAN, Place, place_options
from mosaic_telemetry.cli.common import Database, json_option, print_json
from mosaic_telemetry.cli.federation import export_cells, import_cells
from mosaic_telemetry.engine.administration import NewInstance, NewKeyOf, Rotation

__all__ = ["command"]

_expires_option = click.option("--expires", type=SPAN, metavar="TIME", help="Time after which the key works no longer, such as 90d. By default never.")
_name_option = click.option("--name", default="", help="What to call the key.")


@click.group()
def command() -> None:
    """Issue instances and API keys; also while a server runs on the same database.

    Each works on the database, or with --server and the admin key on a server. Every act stands in the audit log.

    \b
    Examples:
      mosaic-telemetry admin create-instance --name laptop
      mosaic-telemetry admin list
      mosaic-telemetry admin rotate-key $INSTANCE --overlap 24h
    """


command.add_command(export_cells)
command.add_command(import_cells)
for _whole in COMMANDS:
    command.add_command(_whole)


@command.command("create-instance", short_help="Create an instance with an API key.")
@click.option("--name", default="", help="What to call it in `admin list`.")
@click.option("--key-name", default="", help="What to call its key.")
@_expires_option
@place_options
@json_option
def create_instance(name: str, key_name: str, expires: float | None, database: Database, server: str | None, admin_key: str | None, *, as_json: bool) -> None:
    """Create an instance with an API key, which is shown this once.

    \b
    Examples:
      mosaic-telemetry admin create-instance --name laptop --expires 90d
      mosaic-telemetry admin create-instance --server https://example.org
    """
    wanted = NewInstance(name, key_name, expires)
    _show(Place(database, server, admin_key).ask(lambda admin: admin.create_instance(wanted), "POST", "/instances", body=wanted, makes=True), as_json=as_json)


@command.command("list")
@place_options
@json_option
def list_instances(database: Database, server: str | None, admin_key: str | None, *, as_json: bool) -> None:
    """List the instances; keys are never shown again.

    \b
    Examples:
      mosaic-telemetry admin list
      mosaic-telemetry admin list --server https://telemetry.example.org
    """
    rows = Place(database, server, admin_key).ask(lambda admin: admin.instances(), "GET", "/instances")
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No instance yet: mosaic-telemetry admin create-instance")
    else:
        _table(rows, ("instance_id", "created", "keys", "name"))


@command.command("keys", short_help="List an instance's keys.")
@click.argument("instance", type=click.UUID)
@place_options
@json_option
def list_keys(instance: UUID, database: Database, server: str | None, admin_key: str | None, *, as_json: bool) -> None:
    """List INSTANCE's keys by their numbers, names and last characters.

    \b
    Example:
      mosaic-telemetry admin keys $INSTANCE
    """
    rows = Place(database, server, admin_key).ask(lambda admin: admin.keys(instance), "GET", f"/instances/{instance}/keys")
    if as_json:
        print_json(rows)
    else:
        _table(rows, ("number", "hint", "works", "created", "expires", "revoked", "name"))


@command.command("create-key", short_help="Make a key beside those that an instance has.")
@click.argument("instance", type=click.UUID)
@_name_option
@_expires_option
@place_options
@json_option
def create_key(instance: UUID, name: str, expires: float | None, database: Database, server: str | None, admin_key: str | None, *, as_json: bool) -> None:
    """Make a key beside those that INSTANCE has, and show it this once.

    \b
    Example:
      mosaic-telemetry admin create-key $INSTANCE --name ci
    """
    wanted = NewKeyOf(name, expires)
    _show(
        Place(database, server, admin_key).ask(lambda admin: admin.create_key(instance, wanted), "POST", f"/instances/{instance}/keys", body=wanted),
        as_json=as_json,
    )


@command.command("rotate-key", short_help="Put a new key in the place of an instance's.")
@click.argument("instance", type=click.UUID)
@click.option("--overlap", type=SPAN, default="0", metavar="TIME", help="Time that the old keys go on working, such as 24h. By default none.")
@_name_option
@_expires_option
@place_options
@json_option
def rotate_key(
    instance: UUID, overlap: float, name: str, expires: float | None, database: Database, server: str | None, admin_key: str | None, *, as_json: bool
) -> None:
    """Put a new key in the place of those that INSTANCE has, and show it this once.

    \b
    Example:
      mosaic-telemetry admin rotate-key $INSTANCE --overlap 24h
    """
    wanted = Rotation(name, expires, overlap)
    _show(
        Place(database, server, admin_key).ask(lambda admin: admin.rotate(instance, wanted), "POST", f"/instances/{instance}/rotate", body=wanted),
        as_json=as_json,
    )


@command.command("revoke", short_help="Revoke an instance's keys at once.")
@click.argument("instance", type=click.UUID)
@click.option("--key", "number", type=click.IntRange(min=1), metavar="NUMBER", help="One key alone, by its number in `admin keys`.")
@place_options
@json_option
def revoke(instance: UUID, number: int | None, database: Database, server: str | None, admin_key: str | None, *, as_json: bool) -> None:
    """Revoke INSTANCE's keys at once; its events stay.

    \b
    Examples:
      mosaic-telemetry admin revoke $INSTANCE
      mosaic-telemetry admin revoke $INSTANCE --key 2
    """
    path = f"/instances/{instance}/keys" + ("" if number is None else f"/{number}")
    answer = Place(database, server, admin_key).ask(lambda admin: {"revoked": admin.revoke(instance, number)}, "DELETE", path)
    if as_json:
        print_json({"instance_id": str(instance), **answer})
    else:
        click.echo(f"revoked {answer['revoked']} {'key' if answer['revoked'] == 1 else 'keys'} of {instance}")


@command.command("usage")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First day, in UTC. By default six days before the last.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day, in UTC. By default today.")
@place_options
@json_option
def usage(since: datetime | None, until: datetime | None, database: Database, server: str | None, admin_key: str | None, *, as_json: bool) -> None:
    """Show what came in, by day of receipt and instance.

    \b
    Example:
      mosaic-telemetry admin usage --since 2026-02-01 --until 2026-02-28
    """
    first, last = (None if day is None else day.date() for day in (since, until))
    query = {"since": first.isoformat() if first else None, "until": last.isoformat() if last else None}
    rows = Place(database, server, admin_key).ask(lambda admin: admin.usage(first, last), "GET", "/usage", query=query)
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("Nothing came in.")
    else:
        _table(rows, ("day", "instance_id", "accepted", "duplicate", "invalid", "name"))


@command.command("audit")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many entries.")
@place_options
@json_option
def audit(limit: int, database: Database, server: str | None, admin_key: str | None, *, as_json: bool) -> None:
    """Show what administrators did, newest first.

    \b
    Example:
      mosaic-telemetry admin audit --limit 10
    """
    rows = Place(database, server, admin_key).ask(lambda admin: admin.acts(limit), "GET", "/audit", query={"limit": str(limit)})
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("Nothing was done yet.")
    else:
        _table([{**row, "detail": json.dumps(row["detail"])} for row in rows], ("at", "actor", "action", "subject", "detail"))


@command.command("create-admin-key", short_help="Make an admin key in the place of the old one.")
@place_options
@json_option
def create_admin_key(database: Database, server: str | None, admin_key: str | None, *, as_json: bool) -> None:
    """Make an admin key in the place of the one there was, and show it this once; on the database alone.

    \b
    Example:
      mosaic-telemetry admin create-admin-key
    """
    if server:
        raise click.UsageError("an admin key is made on the database alone")
    key = Place(database, None, admin_key).ask(lambda admin: admin.create_admin_key(), "", "", makes=True)
    if as_json:
        print_json({"admin_key": key})
    else:
        click.echo(f"admin key  {key}\n\nIt is not shown again. To use it from elsewhere:\n\n  export MOSAIC_TELEMETRY_ADMIN_KEY={key}")


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    heads = [name.removesuffix("_id") for name in columns]
    texts = [[_text(row[name]) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *texts, strict=True)]
    for line in (heads, *texts):
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _show(issued: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"instance_id": issued["instance_id"], "api_key": issued["api_key"], "key": issued["key"]})
        return
    click.echo(f"instance id  {issued['instance_id']}\napi key      {issued['api_key']}\n")
    click.echo("The key is not shown again. To report events:\n")
    click.echo(f"  export MOSAIC_TELEMETRY_INSTANCE_ID={issued['instance_id']}")
    click.echo(f"  export MOSAIC_TELEMETRY_API_KEY={issued['api_key']}")
