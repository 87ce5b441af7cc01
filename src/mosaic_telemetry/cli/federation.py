"""`mosaic-telemetry admin export-cells` and `import-cells`, and `--prior` of `predict`: what one server has learned, for another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mosaic_telemetry.cli.common import Database, database_option, is_missing, json_option, print_json

if TYPE_CHECKING:
    from mosaic_telemetry.engine.federation import Prior, Signed

__all__ = ["export_cells", "import_cells", "prior_option", "read_prior", "trust_option"]

_FILE = click.Path(dir_okay=False, path_type=Path)
_LEAST = 5  # `LEAST_CONTRIBUTORS`, known here without importing the engine

prior_option = click.option(
    "--prior", type=_FILE, metavar="FILE", help="Begin with the cells that another server exported, and with the database on this machine; asks no server."
)
trust_option = click.option("--trust", metavar="KEY", help="The public key, ed25519:…, that must have signed the file.")


@click.command("export-cells", short_help="Write what may be published, signed.")
@click.argument("file", type=_FILE)
@click.option("--source", required=True, metavar="NAME", help="Who publishes it, such as example.org: whoever imports it is told.")
@click.option(
    "--key",
    "key_file",
    type=_FILE,
    required=True,
    metavar="PEM",
    envvar="MOSAIC_TELEMETRY_SIGNING_KEY",
    help="File of the private key to sign with. [env: MOSAIC_TELEMETRY_SIGNING_KEY]",
)
@click.option("--new-key", is_flag=True, help="Make that key first.")
@click.option(
    "--least-contributors",
    "least",
    type=click.IntRange(min=1),
    default=_LEAST,
    show_default=True,
    help="Instances from which on a cell is published; fewer on a private server alone, for data that is all your own.",
)
@database_option
@json_option
def export_cells(file: Path, source: str, key_file: Path, database: Database, *, new_key: bool, least: int, as_json: bool) -> None:
    """Write the cells of enough instances to FILE, signed; no instance is named in it, and no event.

    Works on the database alone, also while a server runs on it.

    \b
    Example:
      mosaic-telemetry admin export-cells cells.bin --source a.org --key key.pem
    """
    from mosaic_telemetry.cli.database import open_database
    from mosaic_telemetry.cli.progress import counted
    from mosaic_telemetry.engine import CellsFileError
    from mosaic_telemetry.engine.federation import SigningKey, check_source, name_of_key, write_file

    if is_missing(database):
        raise click.ClickException(f"no database at {database}: name the one of the server with --database")
    try:
        check_source(source)
        key = SigningKey.make(key_file) if new_key else SigningKey.read(key_file)
    except CellsFileError as error:
        raise click.ClickException(str(error)) from error
    with open_database(database) as engine:
        counted(engine)
        published = engine.publish(source, least)
    if not published.cells:
        raise click.ClickException(f"nothing to publish: no cell has events of {published.least_contributors} instances; see --least-contributors")
    try:
        _write(file, write_file(published, key))
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error
    shown = {"file": str(file), "source": source, "cells": len(published.cells), "bytes": file.stat().st_size, "key": name_of_key(key.public)}
    if as_json:
        print_json(shown)
        return
    click.echo(
        f"{shown['cells']:,} cells, {shown['bytes']:,} bytes in {file}\nsigned with  {shown['key']}\n\n"
        "Publish that key beside the file, where others can tell that it is yours."
    )


@click.command("import-cells", short_help="Begin predictions with what another server knows.")
@click.argument("file", type=_FILE, required=False)
@trust_option
@click.option("--remove", is_flag=True, help="Let go of what was imported, and answer from own events alone.")
@database_option
@json_option
def import_cells(file: Path | None, trust: str | None, database: Database, *, remove: bool, as_json: bool) -> None:
    """Begin predictions with the cells in FILE, in the place of those that were imported before; own events then outweigh them.

    The first time, name the key that its owner has published with --trust; the same key needs no naming afterwards. A running server follows within two
    seconds.

    \b
    Examples:
      mosaic-telemetry admin import-cells cells.bin --trust ed25519:…
      mosaic-telemetry admin import-cells --remove
    """
    from mosaic_telemetry.cli.administering import user
    from mosaic_telemetry.cli.database import open_database
    from mosaic_telemetry.engine.federation import name_of_key
    from mosaic_telemetry.engine.store import Act

    if (file is None) != remove:
        raise click.UsageError("name either a FILE or --remove")
    if file is None:
        with open_database(database) as engine:
            removed = engine.priors.remove(Act(engine.accounts.now_ms(), f"cli:{user()}", "cells.remove", ""))
        if as_json:
            print_json({"removed": removed})
        else:
            click.echo("Predictions rest on own events alone." if removed else "Nothing was imported.")
        return
    data, signed = _read(file, trust)
    key = name_of_key(signed.key)
    with open_database(database) as engine:
        if trust is None and engine.priors.trusted() != signed.key:
            raise click.ClickException(f"{file} is signed with {key}: if its owner has published that key as theirs, add --trust {key}")
        detail: dict[str, Any] = {"cells": len(signed.published.cells), "key": key}
        act = Act(engine.accounts.now_ms(), f"cli:{user()}", "cells.import", signed.published.source, json.dumps(detail))
        engine.priors.keep(data, signed, act)
    if as_json:
        print_json({"source": signed.published.source, **detail})
    else:
        click.echo(f"Predictions begin with {detail['cells']:,} cells of {signed.published.source}, until own events outweigh them.")


def read_prior(file: Path, trust: str | None) -> Prior:
    """What another server exported.

    Raises:
        click.ClickException: one line, where the file is not to be used.
    """
    from mosaic_telemetry.engine.federation import Prior

    return Prior(_read(file, trust)[1])


def _read(file: Path, trust: str | None) -> tuple[bytes, Signed]:
    from mosaic_telemetry.engine import CellsFileError
    from mosaic_telemetry.engine.federation import MOST_BYTES, key_of, read_file

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        return data, read_file(data, None if trust is None else key_of(trust))
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from error
    except CellsFileError as error:
        raise click.ClickException(f"{file}: {error}") from error


def _write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all: others may be fetching it."""
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(data)
    part.replace(file)
