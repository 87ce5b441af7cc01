"""What commands share that work on the database themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mosaic_telemetry.cli.common import database_option, default_database
from mosaic_telemetry.engine import DatabaseError, Engine, open_engine

__all__ = ["database_option", "open_database"]


@contextmanager
def open_database(path: Path, *, keep: bool = True) -> Iterator[Engine]:
    """The engine on a database; the directory of the default one is made where it is missing.

    Args:
        path: the file.
        keep: whether to keep the cells in a thread of this process; without it another process has to.

    Raises:
        click.ClickException: one line, where the database cannot be opened or fails.
    """
    try:
        with open_engine(path, make_directory=path == default_database(), keep=keep) as engine:
            yield engine
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
