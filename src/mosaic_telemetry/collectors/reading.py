"""JSON lines from a file that somebody else writes, one at a time: plain or gzipped, of any size, even while it grows."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Protocol

from mosaic_telemetry.collectors.values import Skipped

__all__ = ["LONGEST_LINE", "Counting", "Watcher", "read_document", "read_records"]

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes in one line at most: a longer one is skipped, so that memory stays bounded."""

LONGEST_DOCUMENT = 256 * 1024 * 1024
"""Bytes in a file that is one JSON document at most."""

_REPORT_EVERY = 200  # lines


class Watcher(Protocol):
    """Is told how reading goes."""

    def advance(self, size: int) -> None:
        """`size` more bytes of a file, as it lies on disk, were read."""

    def skip(self, skipped: Skipped) -> None:
        """Something could not be used; the rest around it was."""


class Counting:
    """Counts what is skipped on its way to the watcher.

    Attributes:
        skipped: how much was skipped so far.
    """

    def __init__(self, watcher: Watcher) -> None:
        self.skipped = 0
        self._watcher = watcher

    def advance(self, size: int) -> None:
        """Pass on."""
        self._watcher.advance(size)

    def skip(self, skipped: Skipped) -> None:
        """Count and pass on."""
        self.skipped += 1
        self._watcher.skip(skipped)


def read_document(path: Path, watcher: Watcher) -> Mapping[str, Any] | None:
    """The JSON object that a whole file is; None, and reported, where it is none. Never raises for what the file holds."""
    try:
        with path.open("rb") as raw, _decompressed(path, raw) as file:
            text = file.read(LONGEST_DOCUMENT)
            watcher.advance(raw.tell())
    except (OSError, EOFError, zlib.error) as error:
        watcher.skip(Skipped(path, 0, f"cannot be read: {getattr(error, 'strerror', None) or error}"))
        return None
    if len(text) == LONGEST_DOCUMENT:
        watcher.skip(Skipped(path, 0, f"larger than {LONGEST_DOCUMENT // 1024**2} MiB"))
        return None
    value, problem = _parse(text)
    if value is None:
        watcher.skip(Skipped(path, 0, problem.removeprefix("half-written at the end of the file: ") or "empty"))
    return value


def read_records(path: Path, watcher: Watcher) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line number from 1, object) of each line; blank lines are passed over, and what is no JSON object is reported.

    Never raises for what the file holds or does: one that cannot be opened, ends in the middle of a line or of its compressed
    stream, or is not text at all yields what could be read.
    """
    number = 0
    seen = 0
    try:
        with path.open("rb") as raw, _decompressed(path, raw) as lines:
            while line := lines.readline(LONGEST_LINE):
                number += 1
                if number % _REPORT_EVERY == 0:
                    seen = _report(watcher, seen, raw.tell())
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    watcher.skip(Skipped(path, number, f"longer than {LONGEST_LINE // 1024**2} MiB"))
                    while (rest := lines.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                        pass
                    continue
                record, problem = _parse(line)
                if record is not None:
                    yield number, record
                elif problem:
                    watcher.skip(Skipped(path, number, problem))
            _report(watcher, seen, raw.tell())
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        watcher.skip(Skipped(path, number + 1, f"cannot be read on from here: {reason}"))


def _decompressed(path: Path, raw: Any) -> BufferedIOBase:
    # A GzipFile owns no file that it was given: `raw` is closed by its own `with`.
    return gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw


def _report(watcher: Watcher, seen: int, position: int) -> int:
    watcher.advance(position - seen)
    return position


def _parse(line: bytes) -> tuple[Mapping[str, Any] | None, str]:
    """The object in a line, or None and why there is none; no reason for a blank line."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        if not line.strip():
            return None, ""
        if isinstance(error, UnicodeDecodeError):
            return None, f"not UTF-8 at byte {error.start + 1}"
        half = "" if line.endswith(b"\n") else "half-written at the end of the file: "
        return None, half + ("nested too deeply" if isinstance(error, RecursionError) else f"not JSON ({error})")
    if not isinstance(value, dict):
        return None, f"not a JSON object but {type(value).__name__}"
    return value, ""
