"""What the database on this machine predicted for tasks before they began."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import click

from mosaic_telemetry.cli.common import Database
from mosaic_telemetry.collectors import Converted, Task
from mosaic_telemetry.collectors.estimates import with_estimates

__all__ = ["estimated"]

_log = logging.getLogger(__name__)


def estimated(tasks: Sequence[tuple[Task, Converted]], database: Database | None) -> list[tuple[Task, Converted]]:
    """The same tasks, with estimates where that database knows some; where it cannot be asked the log says so, and they stay 0.

    Args:
        tasks: tasks and their events.
        database: only a file that is there is asked: no server, nothing behind a URL, so that nothing waits for a network.
    """
    if not tasks or not isinstance(database, Path) or not database.is_file():
        return list(tasks)
    try:
        from mosaic_telemetry.cli.database import open_database
    except ImportError:  # collecting alone does not need what the engine needs
        return list(tasks)
    try:
        with open_database(database, keep=False) as engine:
            return with_estimates(tasks, engine.predict)
    except click.ClickException as error:
        _log.warning("no estimates from %s: %s", database, error.message)
        return list(tasks)
