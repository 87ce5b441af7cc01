"""Kilo: its CLI is made from opencode, its extension from Roo Code and Cline, and each keeps what it did as these do.

The rules are told in docs/collectors/opencode.md and docs/collectors/cline.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.cline import beside as beside_tasks
from mosaic_telemetry.collectors.cline import files as tasks
from mosaic_telemetry.collectors.cline import read_turns as read_task
from mosaic_telemetry.collectors.opencode import beside as beside_sessions
from mosaic_telemetry.collectors.opencode import files as sessions
from mosaic_telemetry.collectors.opencode import read_turns as read_sessions
from mosaic_telemetry.collectors.reading import Counting
from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.schema import Harness

__all__ = ["Kilo"]


class Kilo(LogCollector):
    """The collector for Kilo."""

    name = "kilo"
    title = "Kilo Code"
    harness = Harness.KILO_CODE

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The CLI's data folder and those of the extension unless told otherwise."""
        return [*sessions.usual_places(self.name, env, home), *tasks.kilo_places(env, home)]

    def find(self, place: Path) -> Sequence[Path]:
        """The CLI's databases and the extension's tasks in a place."""
        found = tasks.find_files(place, tasks.KILO_EXTENSIONS)
        return found if found and place.is_file() else sorted({*found, *sessions.find_files(place, self.name)})

    def units(self, files: Iterable[Path]) -> Sequence[Unit]:
        """Each task of the extension by itself; the CLI's sessions together."""
        found = sorted(set(files))
        together = tuple(path for path in found if not tasks.is_log(path))
        return [*((path,) for path in found if tasks.is_log(path)), *([together] if together else [])]

    def beside(self, unit: Unit) -> Sequence[Path]:
        """What is read with them."""
        return beside_tasks(unit[0]) if tasks.is_log(unit[0]) else beside_sessions(unit)

    def read(self, unit: Unit, counting: Counting) -> Sequence[Turn]:
        """The turns in a task of the extension, or in the CLI's sessions."""
        return read_task(unit[0], counting) if tasks.is_log(unit[0]) else read_sessions(unit, counting)
