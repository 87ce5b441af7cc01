"""The recordings of the demonstration: laid out as on a person's machine, with their times moved to the present."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

__all__ = ["lay_out", "move_to_present"]

# Recording to the place that its harness has in a home folder.
_PLACES = (
    ("aider-0.86.2", ".aider"),
    ("claude-code-2.1.197/projects", ".claude/projects"),
    ("cline-2.18.0-classic/tasks", ".cline/data/tasks"),
    ("cline-cli-3.0.65/sessions", ".cline/data/sessions"),
    ("codex-0.60.1/sessions", ".codex/sessions"),
    ("codex-0.169.0/sessions", ".codex/sessions"),
    ("gemini-cli-0.20.0/tmp", ".gemini/tmp"),
    ("gemini-cli-0.61.0/tmp", ".gemini/tmp"),
    ("kilo-cli-7.8.1/kilo.db", ".local/share/kilo/kilo.db"),
    ("opencode-1.0.185-json/storage", ".local/share/opencode/storage"),
    ("opencode-1.18.33/opencode.db", ".local/share/opencode/opencode.db"),
    ("pi-0.73.1/sessions", ".pi/agent/sessions"),
)
_TEXTS = (".json", ".jsonl", ".md")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z")
_LOCAL = re.compile(r"(?<=started at )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")  # aider's, without a zone
# Of all recordings: milliseconds and seconds since 1970 in the second half of November 2026.
_MILLISECONDS = re.compile(r"(?<![\w.-])1795\d{9}(?![\w-])")
_SECONDS = re.compile(r"(?<![\w.-])1795\d{6}(?![\w-])")


def lay_out(recordings: Path, home: Path, now: datetime) -> None:
    """Put all recordings into a home folder, each where its harness keeps its sessions.

    They end two hours before `now`: where no record says that a task is over, an hour's silence does.
    """
    for source, place in _PLACES:
        origin = recordings / source
        target = home / place
        if origin.is_dir():
            shutil.copytree(origin, target, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, target)
    _move(home, now - timedelta(hours=2))


def move_to_present(source: Path, target: Path, now: datetime) -> None:
    """Copy recorded sessions with all their times moved, so that the newest is a minute before `now` and they do not age out."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    _move(target, now - timedelta(minutes=1))


def _move(folder: Path, newest: datetime) -> None:
    """Move all times in the files of a folder, so that the newest that is written out becomes `newest`."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*")) if path.suffix in _TEXTS}
    last = max(datetime.fromisoformat(moment) for text in texts.values() for moment in _TIME.findall(text))
    by = newest - last
    for path, text in texts.items():
        path.write_text(_moved(text, by), encoding="utf-8")
    for path in sorted(folder.rglob("*.db")):
        with closing(sqlite3.connect(path)) as connection, connection:
            for table, column in _columns(connection):
                _update(connection, table, column, lambda value: _moved(value, by))


def _moved(text: str, by: timedelta) -> str:
    seconds = round(by.total_seconds())
    text = _TIME.sub(lambda match: _written(datetime.fromisoformat(match.group()) + by, match.group()), text)
    text = _LOCAL.sub(lambda match: f"{datetime.fromisoformat(match.group()) + by:%Y-%m-%d %H:%M:%S}", text)
    text = _MILLISECONDS.sub(lambda match: str(int(match.group()) + seconds * 1000), text)
    return _SECONDS.sub(lambda match: str(int(match.group()) + seconds), text)


def _written(moment: datetime, like: str) -> str:
    return moment.isoformat(timespec="milliseconds" if "." in like else "seconds").replace("+00:00", "Z")


def _columns(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    query = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
    yield from connection.execute(query).fetchall()


def _update(connection: sqlite3.Connection, table: str, column: str, change: Callable[[str], str]) -> None:
    for rowid, value in connection.execute(f'SELECT rowid, "{column}" FROM "{table}"').fetchall():  # noqa: S608 - names out of the schema
        if isinstance(value, (int, str)) and (new := change(str(value))) != str(value):
            connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (type(value)(new), rowid))  # noqa: S608 - as above
