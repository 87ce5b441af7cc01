"""What processes left in the spool that are gone: their events, as this process takes them over."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from mosaic_telemetry.client.segment import Segment, SpoolDirectory

__all__ = ["MAX_AGE", "TOO_OLD", "Entry", "take_up"]

MAX_AGE = 7 * 86_400.0
"""Seconds that an event waits at most, from the moment of spooling (to within the hour that one file is written to)."""
TOO_OLD = f"they waited longer than {MAX_AGE / 86_400:g} days"

Entry = tuple[bytes, Segment | None, int]
"""An event that waits: its JSON form, and where its line begins in which file (None: in none)."""


def take_up(directory: SpoolDirectory, most: int, give_up: Callable[[int, str], None]) -> Iterator[tuple[Segment, list[Entry]]]:
    """Up to `most` files whose holders are gone, now held by this process, oldest first, each with its events.

    Events that are torn or too old are given up; files that hold no other are removed, and do not count.
    """
    for name in directory.names():
        if most <= 0:
            return
        segment = directory.adopt(name)
        if segment is None:
            continue
        entries, unreadable = _read(segment)
        if time.time() - segment.created > MAX_AGE:
            give_up(len(entries), TOO_OLD)
            entries = []
        if unreadable:
            give_up(unreadable, "the lines in the spool are torn")
        if not entries:
            segment.remove()
            continue
        segment.pending = len(entries)
        most -= 1
        yield segment, entries


def _read(segment: Segment) -> tuple[list[Entry], int]:
    """The events of a segment, and the number of lines that are none."""
    entries: list[Entry] = []
    unreadable = 0
    try:
        for start, line in segment.read():
            if _is_event(line):
                entries.append((line[:-1], segment, start))
            elif line.strip():
                unreadable += 1
    except OSError:
        return entries, unreadable + 1
    return entries, unreadable


def _is_event(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line).get("event_id"), str)
    except (ValueError, AttributeError, RecursionError):
        return False
