"""aider: its analytics log and its chat history to tasks. The rules are told in docs/collectors/aider.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaic_telemetry.collectors.aider.analytics import Run, read_runs
from mosaic_telemetry.collectors.aider.history import Chat, read_chats
from mosaic_telemetry.collectors.aider.joining import turns_of_chat, turns_of_run
from mosaic_telemetry.collectors.assembling import assemble_turns
from mosaic_telemetry.collectors.reading import Counting, Watcher
from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.collectors.values import Collection
from mosaic_telemetry.schema import Harness

__all__ = ["Aider"]

_SUFFIXES = (".jsonl", ".jsonl.gz")
_HISTORIES = ("chat.history.md", "chat.history.md.gz", "chat-history.md", "chat-history.md.gz")
_UNLIKELY = frozenset({".git", ".venv", "node_modules", "site-packages", "venv"})


class Aider:
    """The collector for aider."""

    name = "aider"
    title = "aider"

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

    def collect(self, files: Sequence[Path], *, now_ms: int, watcher: Watcher) -> Collection:
        """The tasks in these files."""
        counting = Counting(watcher)
        runs: dict[str, Run] = {}
        chats: dict[str, Chat] = {}
        for path in sorted(set(files)):
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
        return assemble_turns(turns, Harness.AIDER, now_ms=now_ms, files=len(set(files)), skipped=counting.skipped)


def _is_log(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(_HISTORIES) or (name.endswith(_SUFFIXES) and "analytics" in name)
