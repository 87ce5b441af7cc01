"""What commands share that work on the database themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import click

from mosaic_telemetry.cli.common import Database, database_option, default_database
from mosaic_telemetry.engine import Admission, DatabaseError, Engine, Retention, open_engine

__all__ = ["database_option", "open_database"]


@contextmanager
def open_database(
    database: Database, *, keep: bool = True, retention: Retention | None = None, admission: Admission | Literal[False] | None = None
) -> Iterator[Engine]:
    """The engine on a database; the directory of the default one is made where it is missing.

    Args:
        database: a file, or a URL.
        keep: whether to keep the cells in a thread of this process; without it another process has to.
        retention: how long events count and are kept.
        admission: what counts on a public server; False makes it a private one, and None leaves it as the database has it.

    Raises:
        click.ClickException: one line, where the database cannot be opened or fails.
    """
    try:
        with open_engine(database, make_directory=database == default_database(), keep=keep, retention=retention, admission=admission) as engine:
            yield engine
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
