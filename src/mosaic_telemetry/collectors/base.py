"""What a collector is: one for each harness, all with the same face."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from mosaic_telemetry.collectors.assembling import assemble_turns
from mosaic_telemetry.collectors.reading import Counting, Watcher
from mosaic_telemetry.collectors.values import Collection
from mosaic_telemetry.schema import Harness

__all__ = ["Collector", "LogCollector", "Part", "Unit"]

Unit = tuple[Path, ...]
"""Files that only make sense together, such as a database and the older files beside it; mostly a single one."""


class Part(Protocol):
    """What was found of one task in one unit: the whole of it, a piece, or a copy."""

    def links(self) -> Iterator[str]:
        """The ids that may stand in other units too: those units have to be joined with this one."""


class Collector(Protocol):
    """Reads one harness's logs: first each unit by itself, then all are joined."""

    @property
    def name(self) -> str:
        """As it is typed: `collect claude-code`."""

    @property
    def title(self) -> str:
        """As a person reads it: Claude Code."""

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """Where this harness keeps its logs unless told otherwise."""

    def find(self, place: Path) -> Sequence[Path]:
        """The log files in a place: the harness's folder, one of its folders of sessions, or one file. Empty for none."""

    def units(self, files: Iterable[Path]) -> Sequence[Unit]:
        """Files in units that can be read apart from each other."""

    def beside(self, unit: Unit) -> Sequence[Path]:
        """Files that are read together with a unit's own, so that a change of them is one of it. They need not exist."""

    def read(self, unit: Unit, counting: Counting) -> Sequence[Any]:
        """The parts in a unit; the same for the same content. Never raises for what the files hold."""

    def join(self, parts: Iterable[Any], *, now_ms: int, files: int, skipped: int) -> Collection:
        """The tasks in parts of several units; the same in whatever order and however many copies they come.

        Args:
            parts: what `read` found. They are used up.
            now_ms: milliseconds since 1970, to tell which task is finished.
            files: files read, for the record.
            skipped: lines and files that could not be used, for the record.
        """

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files; the same for the same content, in whatever order and however many copies it comes.

        Args:
            files: what `find` found.
            now_ms: milliseconds since 1970, to tell which task is finished.
            watcher: is told of progress and of what could not be used.
        """


class LogCollector(ABC):
    """What most collectors have in common: each file is a unit, and their parts are turns."""

    name: ClassVar[str]
    title: ClassVar[str]
    harness: ClassVar[Harness] = Harness.CUSTOM

    def units(self, files: Iterable[Path]) -> Sequence[Unit]:
        """Each file by itself."""
        return [(path,) for path in sorted(set(files))]

    def beside(self, unit: Unit) -> Sequence[Path]:  # noqa: ARG002 - the Protocol's signature
        """None."""
        return ()

    @abstractmethod
    def read(self, unit: Unit, counting: Counting) -> Sequence[Any]:
        """The parts in a unit."""

    def join(self, parts: Iterable[Any], *, now_ms: int, files: int, skipped: int) -> Collection:
        """The tasks in the turns of all units."""
        return assemble_turns(parts, self.harness, now_ms=now_ms, files=files, skipped=skipped)

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files."""
        counting = Counting(watcher)
        parts = [part for unit in self.units(files) for part in self.read(unit, counting)]
        return self.join(parts, now_ms=now_ms, files=len(set(files)), skipped=counting.skipped)
