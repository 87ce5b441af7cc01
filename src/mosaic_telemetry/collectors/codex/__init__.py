"""Codex: its rollout files to tasks. What is read, and by which rules, is told in docs/collectors/codex.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.assembling import assemble_turns
from mosaic_telemetry.collectors.codex.parsing import Rollout
from mosaic_telemetry.collectors.reading import Counting, Watcher, read_records
from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.collectors.values import Collection
from mosaic_telemetry.schema import Harness

__all__ = ["Codex"]

_FOLDERS = ("sessions", "archived_sessions")
_SUFFIXES = (".jsonl", ".jsonl.gz")


class Codex:
    """The collector for OpenAI's Codex CLI and its editor extension."""

    name = "codex"
    title = "Codex"

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The folders of sessions under CODEX_HOME, else under `~/.codex`."""
        root = Path(env["CODEX_HOME"]).expanduser() if env.get("CODEX_HOME") else home / ".codex"
        return [root / folder for folder in _FOLDERS]

    def find(self, place: Path) -> Sequence[Path]:
        """The rollout files in a place: Codex's home, one of its folders, or one file."""
        if place.is_file():
            return [place] if place.name.endswith(_SUFFIXES) else []
        roots = [place / folder for folder in _FOLDERS if (place / folder).is_dir()] or [place]
        found = (path for root in roots for path in root.rglob("rollout-*") if path.name.endswith(_SUFFIXES) and path.is_file())
        return sorted(found)

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files."""
        turns: list[Turn] = []
        counting = Counting(watcher)
        for path in sorted(set(files)):
            rollout = Rollout(path)
            for line, record in read_records(path, counting):
                rollout.feed(record, line)
            turns += rollout.finish()
        return assemble_turns(turns, Harness.CUSTOM, now_ms=now_ms, files=len(set(files)), skipped=counting.skipped)
