"""Scanning what is new since the last scan.

A unit is read again when it changed, when a task in it has become due, or when tasks in it were left out that are wanted now.
Together with it all units are read that share an id with it, and those that share one with these: a fork, the session that it
was made from, the subagents of both. What then comes out for these is what a full scan would find.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mosaic_telemetry.collectors.base import Collector, Unit
from mosaic_telemetry.collectors.choosing import Choice
from mosaic_telemetry.collectors.scanstate import FileMark, ScanState, fingerprint, link_of
from mosaic_telemetry.collectors.values import Collection, Task

__all__ = ["Plan", "Reader", "Scan", "plan_scan"]

_MARGIN_MS = 7 * 86_400_000
"""A task that ended after the wanted day can have begun before it, and its subagents can have ended then."""


class Reader(Protocol):
    """Reads units, in one process or in several."""

    skipped: int

    def read(self, collector: Collector, units: Sequence[Unit]) -> Iterator[tuple[Unit, Sequence[Any]]]:
        """Each unit with its parts, in any order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan has to read.

    Attributes:
        units: the units to be read, by their first file.
        others: those that need not be.
        prints: by first file, the fingerprint of each unit, taken before it is read.
        files: files found in all.
    """

    collector: Collector
    choice: Choice
    units: dict[Path, Unit]
    others: dict[Path, Unit]
    prints: dict[Path, str]
    files: int
    state: ScanState | None

    def run(self, reader: Reader, now_ms: int) -> Scan:
        """Read, join, and choose; nothing is noted in the state yet."""
        units = dict(self.units)
        parts: list[Any] = []
        links: dict[Path, list[int]] = {}
        wanted = list(units.values())
        while wanted:
            for unit, found in reader.read(self.collector, wanted):
                parts += found
                if self.state is not None:
                    links[unit[0]] = sorted({link_of(text) for part in found for text in part.links()})
            new = {link for unit in wanted for link in links.get(unit[0], ())}
            related = self.state.linked(self.collector.name, new) if self.state is not None and self.others else set()
            wanted = [self.others[path] for path in sorted(map(Path, related)) if path in self.others and path not in units]
            units |= {unit[0]: unit for unit in wanted}
        read = sum(map(len, units.values()))
        collection = self.collector.join(parts, now_ms=now_ms, files=read, skipped=reader.skipped)
        chosen = [task for task in collection.tasks if self.choice.takes(task)]
        scan = Scan(self.collector, collection, chosen, self.files, read)
        if self.state is not None:
            scan.marks = self._marks(units, collection)
            scan.links = links
        return scan

    def _marks(self, units: dict[Path, Unit], collection: Collection) -> dict[Path, FileMark]:
        key_of = {file: key for key, unit in units.items() for file in unit}

        def keys(files: Iterable[Path]) -> set[Path]:
            return {key_of[file] for file in files if file in key_of} or set(units)

        due: dict[Path, int] = {}
        for waiting in collection.waiting:
            for key in keys(waiting.files):
                due[key] = min(due.get(key, waiting.due_ms), waiting.due_ms)
        lacking = {key for task in collection.tasks if not self.choice.takes(task) for key in keys(task.files)}
        choice = self.choice.encode()
        return {key: FileMark(fingerprint=self.prints[key], due_ms=due.get(key), left_out=choice if key in lacking else "") for key in units}


@dataclass(slots=True)
class Scan:
    """What a scan found.

    Attributes:
        collection: all that the units that were read hold.
        chosen: the tasks that are wanted, whether or not they were reported before.
        files: files found.
        read: files read; the others had nothing new.
    """

    collector: Collector
    collection: Collection
    chosen: Sequence[Task]
    files: int
    read: int
    marks: dict[Path, FileMark] = field(default_factory=dict)
    links: dict[Path, list[int]] = field(default_factory=dict)

    def settle(self, state: ScanState, event_ids: Iterable[str]) -> None:
        """Note that all this has been dealt with, and which events were delivered."""
        state.note(self.collector.name, self.marks, self.links, event_ids)
        known = state.marks(self.collector.name)
        gone = [path for path in known if Path(path) not in self.marks and not os.path.lexists(path)]
        if gone:
            state.drop(self.collector.name, gone)


def plan_scan(collector: Collector, files: Sequence[Path], choice: Choice, *, now_ms: int, state: ScanState | None = None) -> Plan:
    """What has to be read of `files`.

    Args:
        collector: whose files these are.
        files: what its `find` found.
        choice: which tasks are wanted.
        now_ms: milliseconds since 1970.
        state: what earlier scans did; without it everything is read.
    """
    marks = state.marks(collector.name) if state is not None else {}
    units: dict[Path, Unit] = {}
    others: dict[Path, Unit] = {}
    prints: dict[Path, str] = {}
    for unit in collector.units(files):
        key = unit[0]
        beside = collector.beside(unit)
        prints[key] = fingerprint([*unit, *beside]) if state is not None else ""
        mark = marks.get(str(key))
        old = choice.since_ms > 0 and _newest_ms([*unit, *beside]) < choice.since_ms - _MARGIN_MS
        if old or (mark is not None and _is_done(mark, prints[key], choice, now_ms)):
            others[key] = unit
        else:
            units[key] = unit
    return Plan(collector, choice, units, others, prints, len(set(files)), state)


def _is_done(mark: FileMark, found: str, choice: Choice, now_ms: int) -> bool:
    if mark.fingerprint != found or (mark.due_ms is not None and mark.due_ms <= now_ms):
        return False
    if not mark.left_out:
        return True
    before = Choice.decode(mark.left_out)
    return before is not None and before.covers(choice)


def _newest_ms(paths: Iterable[Path]) -> int:
    newest = 0
    for path in paths:
        try:
            newest = max(newest, path.stat().st_mtime_ns // 1_000_000)
        except OSError:
            continue
    return newest
