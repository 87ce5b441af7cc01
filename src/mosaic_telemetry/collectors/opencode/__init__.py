"""opencode and Kilo CLI: their sessions to tasks. What is read, and by which rules, is told in docs/collectors/opencode.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.assembling import assemble_turns
from mosaic_telemetry.collectors.opencode.files import find_files, usual_places
from mosaic_telemetry.collectors.opencode.loading import load
from mosaic_telemetry.collectors.opencode.sessions import turns_of
from mosaic_telemetry.collectors.reading import Counting, Watcher
from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.collectors.values import Collection
from mosaic_telemetry.schema import Harness

__all__ = ["OpenCode", "read_turns"]


class OpenCode:
    """The collector for opencode."""

    name = "opencode"
    title = "opencode"

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The data folder unless told otherwise."""
        return usual_places(self.name, env, home)

    def find(self, place: Path) -> Sequence[Path]:
        """The databases and older session files in a place."""
        return find_files(place, self.name)

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files."""
        counting = Counting(watcher)
        turns = read_turns(files, counting)
        return assemble_turns(turns, Harness.OPENCODE, now_ms=now_ms, files=len(set(files)), skipped=counting.skipped)


def read_turns(files: Sequence[Path], counting: Counting) -> list[Turn]:
    """The turns in files of opencode or of a harness that keeps its sessions in the same way."""
    return turns_of(load(files, counting))
