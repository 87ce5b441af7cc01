"""What the commands share that ask for predictions: options for the kind of task, and the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mosaic_telemetry.cli.common import Database, is_missing
from mosaic_telemetry.schema import Complexity, Provider, TaskType

if TYPE_CHECKING:
    from mosaic_telemetry.engine import Engine

__all__ = ["asked_engine", "dollars_option", "kind_options", "provider_option"]

F = TypeVar("F", bound=Callable[..., Any])


def kind_options(function: F) -> F:
    """`--task-type` and `--complexity`."""
    size = _one_of("--complexity", Complexity, "SIZE", "Size of the task", default=Complexity.MEDIUM.value, show_default=True)
    return _one_of("--task-type", TaskType, "KIND", "Kind of work", required=True)(size(function))


def provider_option(function: F) -> F:
    """`--provider`."""
    return _one_of("--provider", Provider, "NAME", "Who serves the model", note="  [default: the model's vendor]")(function)


def _one_of(name: str, values: type[StrEnum], metavar: str, text: str, *, note: str = "", **more: Any) -> Callable[[F], F]:
    """An option for a value of an enum; its values stand in the text, which can be wrapped, and not in one long word."""
    named = ", ".join(item.value for item in values)
    return click.option(name, type=click.Choice([item.value for item in values]), metavar=metavar, help=f"{text}: {named}.{note}", **more)


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
    from mosaic_telemetry.cli.progress import counted

    if is_missing(database):
        raise click.ClickException(f"no database at {database}: fill it with `mosaic-telemetry collect --all`, or name a server with --server")
    with open_database(database) as engine:
        counted(engine)
        yield engine
