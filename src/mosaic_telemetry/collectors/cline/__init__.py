"""Cline, Roo Code and the Kilo Code extension: their tasks and sessions. What is read, and by which rules: docs/collectors/cline.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.cline.classic import read_task
from mosaic_telemetry.collectors.cline.files import CLINE_EXTENSIONS, cline_places, find_files, is_session
from mosaic_telemetry.collectors.cline.sessions import read_session
from mosaic_telemetry.collectors.reading import Counting
from mosaic_telemetry.collectors.turns import Turn

__all__ = ["Cline", "beside", "read_turns"]


class Cline(LogCollector):
    """The collector for Cline, its CLI, and Roo Code."""

    name = "cline"
    title = "Cline"

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """Cline's data folder and those of the extensions unless told otherwise."""
        return cline_places(env, home)

    def find(self, place: Path) -> Sequence[Path]:
        """The files of tasks and sessions in a place."""
        return find_files(place, CLINE_EXTENSIONS)

    def beside(self, unit: Unit) -> Sequence[Path]:
        """What is written of a task or session apart from its messages."""
        return beside(unit[0])

    def read(self, unit: Unit, counting: Counting) -> Sequence[Turn]:
        """The turns in a task or session."""
        return read_turns(unit[0], counting)


def beside(path: Path) -> Sequence[Path]:
    """What is read with the file of a task or a session; of sessions also their folder, since files of agents turn up in it."""
    if is_session(path):
        return [path.with_name(path.name.replace(".messages.json", ".json")), path.parent]
    return [path.with_name("task_metadata.json"), path.with_name("history_item.json")]


def read_turns(path: Path, counting: Counting) -> list[Turn]:
    """The turns in a file of Cline or of an extension made from it."""
    turns = (read_session if is_session(path) else read_task)(path, counting)
    for turn in turns:
        turn.file = path
    return turns
