"""What lies in the spools of this user, for people to see. Reads only; takes nothing from anybody."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from mosaic_telemetry.client.segment import CHECKPOINT_SUFFIX, NOTE, SEGMENT_SUFFIX

__all__ = ["SpoolSummary", "summarise_spools"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSummary:
    """The spool of one server and instance.

    Attributes:
        directory: where it lies.
        server_url: the server that its events are for; empty where its note cannot be read.
        instance_id: the instance that reports them.
        events: events that wait, those of running processes included.
        size: bytes of its files.
        files: number of its files of events.
        oldest: time of the last write to its oldest file of events, in seconds since 1970; None without files.
    """

    directory: str
    server_url: str
    instance_id: str
    events: int
    size: int
    files: int
    oldest: float | None


def summarise_spools(root: str) -> list[SpoolSummary]:
    """The spools below `root`, by name; none where there is no such directory."""
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return []
    directories = [os.path.join(root, name) for name in names]
    return [_summarise(path) for path in directories if os.path.isdir(path) and not os.path.islink(path)]


def _summarise(directory: str) -> SpoolSummary:
    events = size = files = 0
    oldest: float | None = None
    for name in sorted(os.listdir(directory)):
        if not name.endswith(SEGMENT_SUFFIX):
            continue
        path = os.path.join(directory, name)
        try:
            found = os.lstat(path)
            events += _count_lines(path, _checkpoint(path))
        except OSError:
            continue  # delivered meanwhile
        files += 1
        size += found.st_size
        oldest = found.st_mtime if oldest is None else min(oldest, found.st_mtime)
    server_url, instance_id = _note(directory)
    return SpoolSummary(directory=directory, server_url=server_url, instance_id=instance_id, events=events, size=size, files=files, oldest=oldest)


def _checkpoint(path: str) -> int:
    try:
        with open(path + CHECKPOINT_SUFFIX, "rb") as file:
            return max(int(file.read(32)), 0)
    except (OSError, ValueError):
        return 0


def _count_lines(path: str, start: int) -> int:
    with open(path, "rb") as file:
        file.seek(start)
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 16), b""))


def _note(directory: str) -> tuple[str, str]:
    try:
        with open(os.path.join(directory, NOTE), encoding="utf-8") as file:
            note = json.load(file)
        return str(note["server_url"]), str(note["instance_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""
