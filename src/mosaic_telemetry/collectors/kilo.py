"""Kilo: its CLI is made from opencode, its extension from Roo Code and Cline, and each keeps what it did as these do.

The rules are told in docs/collectors/opencode.md and docs/collectors/cline.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.assembling import assemble_turns
from mosaic_telemetry.collectors.cline import files as tasks
from mosaic_telemetry.collectors.cline import read_turns as read_tasks
from mosaic_telemetry.collectors.opencode import files as sessions
from mosaic_telemetry.collectors.opencode import read_turns as read_sessions
from mosaic_telemetry.collectors.reading import Counting, Watcher
from mosaic_telemetry.collectors.values import Collection
from mosaic_telemetry.schema import Harness

__all__ = ["Kilo"]


class Kilo:
    """The collector for Kilo."""

    name = "kilo"
    title = "Kilo Code"

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The CLI's data folder and those of the extension unless told otherwise."""
        return [*sessions.usual_places(self.name, env, home), *tasks.kilo_places(env, home)]

    def find(self, place: Path) -> Sequence[Path]:
        """The CLI's databases and the extension's tasks in a place."""
        found = tasks.find_files(place, tasks.KILO_EXTENSIONS)
        return found if found and place.is_file() else sorted({*found, *sessions.find_files(place, self.name)})

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files."""
        counting = Counting(watcher)
        of_extension = {path for path in files if tasks.is_log(path)}
        turns = [*read_sessions([path for path in files if path not in of_extension], counting), *read_tasks(sorted(of_extension), counting)]
        return assemble_turns(turns, Harness.KILO_CODE, now_ms=now_ms, files=len(set(files)), skipped=counting.skipped)
