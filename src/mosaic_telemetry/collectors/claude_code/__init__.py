"""Claude Code: its session files to tasks. What is read, and by which rules, is told in docs/collectors/claude-code.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.claude_code.assembling import QUIET_MS, assemble
from mosaic_telemetry.collectors.claude_code.drafts import Draft
from mosaic_telemetry.collectors.claude_code.files import find_files, usual_places
from mosaic_telemetry.collectors.claude_code.parsing import SessionFile
from mosaic_telemetry.collectors.claude_code.streams import is_streamed, read_stream
from mosaic_telemetry.collectors.reading import Counting, read_records
from mosaic_telemetry.collectors.values import Collection
from mosaic_telemetry.schema import Harness

__all__ = ["QUIET_MS", "ClaudeCode"]


class ClaudeCode(LogCollector):
    """The collector for Claude Code."""

    name = "claude-code"
    title = "Claude Code"
    harness = Harness.CLAUDE_CODE

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The folders of sessions unless told otherwise."""
        return usual_places(env, home)

    def find(self, place: Path) -> Sequence[Path]:
        """The session files in a place."""
        return find_files(place)

    def read(self, unit: Unit, counting: Counting) -> Sequence[Draft]:
        """The drafts of tasks in a session file, a subagent's, or what `-p --output-format stream-json` printed."""
        (path,) = unit
        records = read_records(path, counting)
        first = next(records, None)
        if first is not None and is_streamed(first[1]):
            return read_stream(path, chain([first], records), _changed_ms(path))
        session = SessionFile(path)
        for line, record in chain([first] if first else [], records):
            session.feed(record, line)
        return session.drafts

    def join(self, parts: Iterable[Draft], *, now_ms: int, files: int, skipped: int) -> Collection:
        """The tasks in the drafts of all files."""
        return assemble(parts, now_ms=now_ms, files=files, skipped=skipped)


def _changed_ms(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:  # gone meanwhile
        return 0
