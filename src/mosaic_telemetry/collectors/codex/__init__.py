"""Codex: its rollout files to tasks. What is read, and by which rules, is told in docs/collectors/codex.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.codex.parsing import Rollout
from mosaic_telemetry.collectors.reading import Counting, read_records
from mosaic_telemetry.collectors.turns import Turn

__all__ = ["Codex"]

_FOLDERS = ("sessions", "archived_sessions")
_SUFFIXES = (".jsonl", ".jsonl.gz")


class Codex(LogCollector):
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

    def read(self, unit: Unit, counting: Counting) -> Sequence[Turn]:
        """The turns in a rollout."""
        rollout = Rollout(unit[0])
        for line, record in read_records(unit[0], counting):
            rollout.feed(record, line)
        return rollout.finish()
