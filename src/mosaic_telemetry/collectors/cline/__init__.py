"""Cline, Roo Code and the Kilo Code extension: their tasks and sessions. What is read, and by which rules: docs/collectors/cline.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.assembling import assemble_turns
from mosaic_telemetry.collectors.cline.classic import read_task
from mosaic_telemetry.collectors.cline.files import CLINE_EXTENSIONS, cline_places, find_files, is_session
from mosaic_telemetry.collectors.cline.sessions import read_session
from mosaic_telemetry.collectors.reading import Counting, Watcher
from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.collectors.values import Collection
from mosaic_telemetry.schema import Harness

__all__ = ["Cline", "read_turns"]


class Cline:
    """The collector for Cline, its CLI, and Roo Code."""

    name = "cline"
    title = "Cline"

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """Cline's data folder and those of the extensions unless told otherwise."""
        return cline_places(env, home)

    def find(self, place: Path) -> Sequence[Path]:
        """The files of tasks and sessions in a place."""
        return find_files(place, CLINE_EXTENSIONS)

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files."""
        counting = Counting(watcher)
        turns = read_turns(files, counting)
        return assemble_turns(turns, Harness.CUSTOM, now_ms=now_ms, files=len(set(files)), skipped=counting.skipped)


def read_turns(files: Sequence[Path], counting: Counting) -> list[Turn]:
    """The turns in files of Cline or of an extension made from it."""
    return [turn for path in sorted(set(files)) for turn in (read_session if is_session(path) else read_task)(path, counting)]
