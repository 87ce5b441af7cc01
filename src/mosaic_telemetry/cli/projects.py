"""What each collected task took, by project: on this machine alone.

The contract has no place for a project, and none of it ever leaves. So it stands in a small SQLite file of its own beside the
local database, written by `collect` and the hook wherever their events go, and read by `report --by project`.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

from mosaic_telemetry.cli.places import database_path
from mosaic_telemetry.collectors import Converted, Task
from mosaic_telemetry.schema import Outcome

__all__ = ["Projects", "project_of", "projects_file"]

_log = logging.getLogger(__name__)

_WAIT = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS task (
    event_id TEXT PRIMARY KEY, day TEXT NOT NULL, project TEXT NOT NULL, success INTEGER NOT NULL, gates_passed INTEGER NOT NULL,
    cost_usd_micros INTEGER, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, duration_ms INTEGER NOT NULL
) WITHOUT ROWID
"""
_SUMS = """
SELECT project, count(*), sum(success), sum(gates_passed), count(cost_usd_micros), coalesce(sum(success * (cost_usd_micros IS NOT NULL)), 0),
       coalesce(sum(cost_usd_micros), 0), sum(input_tokens), sum(output_tokens), sum(duration_ms)
FROM task WHERE day BETWEEN ? AND ? GROUP BY project ORDER BY sum(cost_usd_micros) DESC, count(*) DESC, project
"""


def projects_file(database: Path | None = None) -> Path:
    """Where it lies: beside the local database."""
    return (database or Path(database_path())).with_name("projects.db")


def project_of(folder: str) -> str:
    """The project that a folder belongs to: the top of its Git repository, or the folder itself where it is in none; empty for none."""
    if not folder:
        return ""
    path = Path(folder)
    return str(next((above for above in (path, *path.parents) if (above / ".git").exists()), path))


class Projects:
    """The file.

    Args:
        path: made for this user alone where there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, tasks: Iterable[tuple[Task, Converted]]) -> None:
        """Note tasks; one that is noted already is noted anew. Where that cannot be done the log says so, and nothing else happens."""
        known: dict[str, str] = {}
        rows = []
        for task, converted in tasks:
            event, folder = converted.event, task.folder
            if folder not in known:
                known[folder] = project_of(folder)
            rows.append(
                (
                    event.event_id,
                    datetime.fromisoformat(event.timestamp).date().isoformat(),
                    known[folder],
                    event.outcome == Outcome.SUCCESS,
                    event.quality_gate_passed,
                    converted.price.micros,
                    task.usage.input,
                    task.usage.output,
                    event.task_duration_ms,
                )
            )
        if not rows:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            with closing(sqlite3.connect(self._path, timeout=_WAIT)) as connection, connection:
                connection.execute(_SCHEMA)
                connection.executemany("INSERT OR REPLACE INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        except (OSError, sqlite3.Error) as error:
            _log.warning("projects cannot be noted in %s: %s", self._path, error)

    def sums(self, since: date, until: date) -> dict[str, tuple[int, ...]]:
        """What each project took on some days, both included, by the tasks' ends in UTC, as the values of `Totals`; the dearest first.

        Raises:
            OSError: the file cannot be read.
        """
        if not self._path.exists():
            return {}
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT)) as connection:
                return {row[0]: tuple(row[1:]) for row in connection.execute(_SUMS, (since.isoformat(), until.isoformat()))}
        except sqlite3.Error as error:
            raise OSError(f"{self._path} cannot be read: {error}") from error
