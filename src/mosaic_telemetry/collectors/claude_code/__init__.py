"""Claude Code: its session files to tasks. What is read, and by which rules, is told in docs/collectors/claude-code.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.claude_code.assembling import QUIET_MS, assemble
from mosaic_telemetry.collectors.claude_code.drafts import Draft
from mosaic_telemetry.collectors.claude_code.files import find_files, usual_places
from mosaic_telemetry.collectors.claude_code.parsing import SessionFile
from mosaic_telemetry.collectors.reading import Watcher, read_records
from mosaic_telemetry.collectors.values import Collection, Skipped

__all__ = ["QUIET_MS", "ClaudeCode"]


class ClaudeCode:
    """The collector for Claude Code."""

    name = "claude-code"
    title = "Claude Code"

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The folders of sessions unless told otherwise."""
        return usual_places(env, home)

    def find(self, place: Path) -> Sequence[Path]:
        """The session files in a place."""
        return find_files(place)

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files."""
        drafts: list[Draft] = []
        counting = _Counting(watcher)
        for path in sorted(set(files)):
            session = SessionFile(path)
            for line, record in read_records(path, counting):
                session.feed(record, line)
            drafts += session.drafts
        return assemble(drafts, now_ms=now_ms, files=len(set(files)), skipped=counting.skipped)


class _Counting:
    """Counts what is skipped on its way to the watcher."""

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
