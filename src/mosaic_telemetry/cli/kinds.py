"""What the commands share that ask for predictions: options for the kind of task, and the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mosaic_telemetry.cli.common import Database, is_missing
from mosaic_telemetry.schema import Complexity, TaskType

if TYPE_CHECKING:
    from mosaic_telemetry.engine import Engine

__all__ = ["asked_engine", "dollars_option", "kind_options"]

F = TypeVar("F", bound=Callable[..., Any])


def kind_options(function: F) -> F:
    """`--task-type` and `--complexity`."""
    size = click.option(
        "--complexity", type=click.Choice([item.value for item in Complexity]), default=Complexity.MEDIUM.value, show_default=True, help="Size of the task."
    )
    return click.option("--task-type", type=click.Choice([item.value for item in TaskType]), required=True, help="Kind of work.")(size(function))


def dollars_option(name: str, text: str) -> Callable[[F], F]:
    """An option for an amount of money in dollars."""
    return click.option(name, type=click.FloatRange(min=0), metavar="DOLLARS", help=text)


@contextmanager
def asked_engine(database: Database) -> Iterator[Engine]:
    """The engine on a database that is there, with everything counted.

    Raises:
        click.ClickException: there is none, or it cannot be read.
    """
    from mosaic_telemetry.cli.database import open_database

    if is_missing(database):
        raise click.ClickException(f"no database at {database}: fill it with `mosaic-telemetry collect --all`, or name a server with --server")
    with open_database(database) as engine:
        engine.roll_up()
        yield engine
