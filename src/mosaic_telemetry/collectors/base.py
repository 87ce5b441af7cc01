"""What a collector is: one for each harness, all with the same face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mosaic_telemetry.collectors.reading import Watcher
from mosaic_telemetry.collectors.values import Collection

__all__ = ["Collector"]


class Collector(Protocol):
    """Reads one harness's logs."""

    name: str
    """As it is typed: `collect claude-code`."""

    title: str
    """As a person reads it: Claude Code."""

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """Where this harness keeps its logs unless told otherwise."""

    def find(self, place: Path) -> Sequence[Path]:
        """The log files in a place: the harness's folder, one of its folders of sessions, or one file. Empty for none."""

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files; the same for the same content, in whatever order and however many copies it comes.

        Args:
            files: what `find` found.
            now_ms: milliseconds since 1970, to tell which task is finished.
            watcher: is told of progress and of what could not be used.
        """
