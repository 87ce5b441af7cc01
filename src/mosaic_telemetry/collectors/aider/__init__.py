"""aider: its analytics log and its chat history to tasks. The rules are told in docs/collectors/aider.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.aider.analytics import Run, read_runs
from mosaic_telemetry.collectors.aider.history import Chat, read_chats
from mosaic_telemetry.collectors.aider.joining import turns_of_chat, turns_of_run
from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.reading import Counting
from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.schema import Harness

__all__ = ["Aider"]

_SUFFIXES = (".jsonl", ".jsonl.gz")
_HISTORIES = ("chat.history.md", "chat.history.md.gz", "chat-history.md", "chat-history.md.gz")
_UNLIKELY = frozenset({".git", ".venv", "node_modules", "site-packages", "venv"})


class Aider(LogCollector):
    """The collector for aider."""

    name = "aider"
    title = "aider"
    harness = Harness.AIDER

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The files that AIDER_ANALYTICS_LOG and AIDER_CHAT_HISTORY_FILE name, else the working folder's history and `~/.aider`."""
        named = [env[name] for name in ("AIDER_ANALYTICS_LOG", "AIDER_CHAT_HISTORY_FILE") if env.get(name)]
        return [Path(path).expanduser() for path in named] or [Path.cwd() / ".aider.chat.history.md", home / ".aider"]

    def find(self, place: Path) -> Sequence[Path]:
        """The logs in a place: a folder, searched with those below it, or one analytics log or chat history."""
        if place.is_file():
            return [place]
        found = (path for path in place.rglob("*") if _is_log(path) and _UNLIKELY.isdisjoint(path.relative_to(place).parts) and path.is_file())
        return sorted(found)

    def units(self, files: Iterable[Path]) -> Sequence[Unit]:
        """All together: any history may tell of a run in any log."""
        together = tuple(sorted(set(files)))
        return [together] if together else []

    def read(self, unit: Unit, counting: Counting) -> Sequence[Turn]:
        """The turns in logs and histories."""
        runs: dict[str, Run] = {}
        chats: dict[str, Chat] = {}
        for path in unit:
            if path.name.endswith((".md", ".md.gz", ".txt")):
                for chat in read_chats(path, counting):
                    known = chats.get(chat.key)
                    chats[chat.key] = chat if known is None or len(chat.prompts) >= len(known.prompts) else known
            else:
                for run in read_runs(path, counting):
                    before = runs.get(run.key)
                    runs[run.key] = run if before is None or len(run.sends) >= len(before.sends) else before
        left = dict(chats)
        turns: list[Turn] = []
        for run in sorted(runs.values(), key=lambda run: (run.started_ms, run.key)):
            own = next((chat for _, chat in sorted(left.items()) if run.wrote(chat)), None)
            if own is not None:
                del left[own.key]
            turns += turns_of_run(run, own)
        for chat in left.values():
            turns += turns_of_chat(chat)
        return turns


def _is_log(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(_HISTORIES) or (name.endswith(_SUFFIXES) and "analytics" in name)
