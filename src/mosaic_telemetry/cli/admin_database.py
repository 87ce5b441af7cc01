"""`mosaic-telemetry admin migrate | backup | restore | copy`: a database as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mosaic_telemetry.cli.common import Database, DatabaseParam, database_option, json_option, print_json
from mosaic_telemetry.cli.progress import LateBar, LateBytes

__all__ = ["COMMANDS"]

_force_option = click.option("--force", is_flag=True, help="Take the place of what is there.")


@click.command("backup", short_help="Write a backup; also while a server runs.")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@_force_option
@database_option
@json_option
def backup(output: Path, database: Database, *, force: bool, as_json: bool) -> None:
    """Write the database as it is at this moment to the file OUTPUT, for this user alone; also while a server runs.

    Of a PostgreSQL database that is a dump in the custom format of pg_dump, which has to be installed.

    \b
    Examples:
      mosaic-telemetry admin backup telemetry-backup.db
      mosaic-telemetry admin backup --force /var/backups/telemetry.db --json
      mosaic-telemetry admin backup t.dump --database postgresql:///telemetry
    """
    from mosaic_telemetry.engine.backups import back_up

    with _in_one_line(), LateBytes("writing") as bar:
        back_up(database, output, force=force, progress=bar.reach)
    _say({"backup": str(output), "bytes": output.stat().st_size}, f"{output}  {output.stat().st_size:,} bytes", as_json=as_json)


@click.command("restore", short_help="Put a backup in the place of a database.")
@click.argument("source", metavar="BACKUP", type=click.Path(dir_okay=False, path_type=Path))
@_force_option
@database_option
@json_option
def restore(source: Path, database: Database, *, force: bool, as_json: bool) -> None:
    """Make the database from BACKUP, which is checked first. Stop the server before.

    A PostgreSQL database has to be empty, or with --force its tables are replaced; pg_restore has to be installed.

    \b
    Example:
      mosaic-telemetry admin restore telemetry-backup.db --force
    """
    from mosaic_telemetry.engine import name_of
    from mosaic_telemetry.engine.backups import restore as put_back

    with _in_one_line(), LateBytes("writing") as bar:
        put_back(source, database, force=force, progress=bar.reach)
    _say({"restored": name_of(database)}, f"restored {name_of(database)}", as_json=as_json)


@click.command("copy", short_help="Copy a database into an empty one, of either kind.")
@click.argument("target", type=DatabaseParam(), metavar="TARGET")
@database_option
@json_option
def copy(target: Database, database: Database, *, as_json: bool) -> None:
    """Copy everything into the empty database TARGET, a SQLite file or postgresql://…; compared row by row before it is kept.

    What is written while it runs is not copied: stop the server before. Broken off, it leaves TARGET empty, and can be begun again.

    \b
    Examples:
      mosaic-telemetry admin copy postgresql:///telemetry
      mosaic-telemetry admin copy new.db --database postgresql:///telemetry
    """
    from mosaic_telemetry.engine.copying import copy_database

    with _in_one_line(), LateBar("copying and comparing") as bar:
        rows = copy_database(database, target, bar.reach)
    _say({"rows": rows}, "\n".join(f"{count:>12,}  {name}" for name, count in rows.items()) + "\nthe same in both, row by row", as_json=as_json)


@click.command("migrate", short_help="Bring a database's tables up to this version.")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 where there is something to do.")
@database_option
@json_option
def migrate(database: Database, *, check: bool, as_json: bool) -> None:
    """Bring the tables up to this version, before a server does it when it starts: as a whole or not at all, and never back.

    \b
    Examples:
      mosaic-telemetry admin migrate --check
      mosaic-telemetry admin migrate --database postgresql:///telemetry
    """
    from mosaic_telemetry.engine import name_of
    from mosaic_telemetry.engine.store.opening import open_store
    from mosaic_telemetry.engine.store.version import tables_version

    name = name_of(database)
    with _in_one_line():
        found, wanted = tables_version(database)
        if found < wanted and not check:
            open_store(database).close()
    answer = {"database": name, "version": found if check else wanted, "needed": wanted, "was": found}
    if found == wanted:
        _say(answer, f"{name}: the tables are at version {wanted}; there is nothing to do", as_json=as_json)
    elif not check:
        _say(answer, f"{name}: the tables were brought from version {found} to {wanted}", as_json=as_json)
    else:
        if as_json:
            print_json(answer)
        raise click.ClickException(f"{name}: the tables are at version {found}, {wanted} is needed; run `mosaic-telemetry admin migrate`")


COMMANDS = (migrate, backup, restore, copy)
"""To be added to `admin`."""


@contextmanager
def _in_one_line() -> Iterator[None]:
    from mosaic_telemetry.engine import DatabaseError

    try:
        yield
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error


def _say(answer: object, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(text)
