"""opencode and Kilo CLI: their sessions to tasks. What is read, and by which rules, is told in docs/collectors/opencode.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.opencode.files import find_files, usual_places
from mosaic_telemetry.collectors.opencode.loading import load
from mosaic_telemetry.collectors.opencode.sessions import turns_of
from mosaic_telemetry.collectors.reading import Counting
from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.schema import Harness

__all__ = ["OpenCode", "beside", "read_turns"]


class OpenCode(LogCollector):
    """The collector for opencode."""

    name = "opencode"
    title = "opencode"
    harness = Harness.OPENCODE

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The data folder unless told otherwise."""
        return usual_places(self.name, env, home)

    def find(self, place: Path) -> Sequence[Path]:
        """The databases and older session files in a place."""
        return find_files(place, self.name)

    def units(self, files: Iterable[Path]) -> Sequence[Unit]:
        """All together: what stands in the database may stand in the older files too, and a message's parts in many of these."""
        together = tuple(sorted(set(files)))
        return [together] if together else []

    def beside(self, unit: Unit) -> Sequence[Path]:
        """The databases' write-ahead logs."""
        return beside(unit)

    def read(self, unit: Unit, counting: Counting) -> Sequence[Turn]:
        """The turns in databases and files."""
        return read_turns(unit, counting)


def beside(files: Sequence[Path]) -> Sequence[Path]:
    """What is read with files of sessions: write-ahead logs."""
    return [path.with_name(f"{path.name}-wal") for path in files if path.suffix == ".db"]


def read_turns(files: Sequence[Path], counting: Counting) -> list[Turn]:
    """The turns in files of opencode or of a harness that keeps its sessions in the same way."""
    return turns_of(load(files, counting))
