"""Which tasks are wanted: since when, of which project, and whether with numbers that are known to be wrong."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Self

from mosaic_telemetry.collectors.values import Task

__all__ = ["Choice", "parse_since"]

_AGO = re.compile(r"(\d{1,6})\s*([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A choice of tasks.

    Attributes:
        since_ms: only tasks that ended then or later, in milliseconds since 1970; 0 for all.
        project: only tasks of this project, see `is_in`; empty for all.
        unreliable: also tasks whose token counts are known to be wrong.
    """

    since_ms: int = 0
    project: str = ""
    unreliable: bool = False

    def takes(self, task: Task) -> bool:
        """Whether the task is wanted."""
        return self.concerns(task) and (self.unreliable or not task.unreliable)

    def concerns(self, task: Task) -> bool:
        """Whether the task is of the time and the project that are wanted, however reliable it is."""
        return task.ended_ms >= self.since_ms and (not self.project or is_in(task.folder, self.project))

    def covers(self, other: Choice) -> bool:
        """Whether this takes whatever the other takes."""
        return self.since_ms <= other.since_ms and self.project in {"", other.project} and (self.unreliable or not other.unreliable)

    def encode(self) -> str:
        """As text that `decode` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Self | None:
        """The choice in a text; None for one that is none."""
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError):
            return None
        return found if (type(found.since_ms), type(found.project), type(found.unreliable)) == (int, str, bool) else None


def is_in(folder: str, project: str) -> bool:
    """Whether a folder belongs to a project: a path (the folder or one above it), or the name of a folder on the way to it.

    Old versions of Gemini CLI tell only a SHA-256 of the folder's path: it is compared with that of the project's.
    """
    if not folder:
        return False
    parts = PurePath(folder).parts
    if not re.search(r"[/\\]", project):
        return project in parts
    wanted = PurePath(project).parts
    return parts[: len(wanted)] == wanted or folder == hashlib.sha256(project.encode("utf-8", "replace")).hexdigest()


def parse_since(text: str, now: datetime) -> int:
    """Milliseconds since 1970 of a date (`2026-11-01`), a moment (ISO 8601) or a time ago (`12h`, `7d`, `2w`).

    Args:
        text: what the person typed. A date or moment without a zone is in the zone of this machine.
        now: the present, with a zone.

    Raises:
        ValueError: it is none of these.
    """
    if ago := _AGO.fullmatch(text.strip().lower()):
        moment = now - int(ago.group(1)) * _UNITS[ago.group(2)]
    else:
        moment = datetime.fromisoformat(text.strip()).astimezone()
    return max(0, round(moment.astimezone(UTC).timestamp() * 1000))
