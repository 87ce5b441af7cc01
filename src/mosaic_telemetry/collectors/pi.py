"""pi: its session files to tasks. What is read, and by which rules, is told in docs/collectors/pi.md.

A session is a tree: each entry names the one before it (older versions: the line before is). A fork copies a path of it into a
new file. What is kept of an entry in every copy and through every change of the format is the time in its message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.reading import Counting, read_records
from mosaic_telemetry.collectors.serving import provider_named
from mosaic_telemetry.collectors.turns import LONGEST_STEP_MS, Step, Turn
from mosaic_telemetry.collectors.untrusted import as_count, as_list, as_mapping, as_milliseconds, as_moment, as_money, as_text, is_count
from mosaic_telemetry.collectors.values import ModelCall, Note
from mosaic_telemetry.pricing import TokenUsage

__all__ = ["Pi"]

_SUFFIXES = (".jsonl", ".jsonl.gz")
_COUNTED = ("input", "output", "cacheRead", "cacheWrite")
_EDITING = frozenset({"edit", "write"})
_INSTANT = _EDITING | {"find", "grep", "ls", "read"}
_INSTANT_MS = 5_000
_ENDINGS = {"stop": Ending.WORD, "length": Ending.BUDGET, "aborted": Ending.STOPPED, "error": Ending.ERROR}
_NO_STATUS = re.compile(r"Command (?:timed out|aborted)")


class Pi(LogCollector):
    """The collector for the pi coding agent."""

    name = "pi"
    title = "pi"

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The folder of sessions under PI_CODING_AGENT_DIR or PI_AGENT_DIR, else under `~/.pi/agent`."""
        named = env.get("PI_CODING_AGENT_DIR") or env.get("PI_AGENT_DIR")
        return [(Path(named).expanduser() if named else home / ".pi" / "agent") / "sessions"]

    def find(self, place: Path) -> Sequence[Path]:
        """The session files in a place: pi's folder, its `sessions`, one project's, or one file."""
        if place.is_file():
            return [place] if place.name.endswith(_SUFFIXES) else []
        root = next((folder for folder in (place / "agent" / "sessions", place / "sessions") if folder.is_dir()), place)
        return sorted(path for path in root.rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())

    def read(self, unit: Unit, counting: Counting) -> Sequence[Turn]:
        """The turns in a session file."""
        session = _Session(unit[0])
        for line, record in read_records(unit[0], counting):
            session.feed(record, line)
        return session.turns


class _Session:
    """Gathers the turns of one file. Law: no record can make `feed` raise."""

    def __init__(self, path: Path) -> None:
        stem = path.name.partition(".")[0]
        self._session = stem.rpartition("_")[2] or stem
        self._path = path
        self._folder = ""
        self._current = Turn(key="", session=self._session, file=path)
        self.turns = [self._current]
        self._owners: dict[str, Turn] = {}
        self._uses: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._line = 0

    def feed(self, record: Mapping[str, Any], line: int) -> None:
        """Take in one record."""
        self._line = line
        name = as_text(record.get("id"))
        kind = record.get("type")
        if kind == "session":
            self._session = name or self._session
            self._current.session = self._session
            self._folder = self._current.folder = as_text(record.get("cwd"))
            return
        if name and name in self._owners:
            return  # the same entry once more
        turn = self._owners.get(as_text(record.get("parentId")), self._current)
        moment = as_moment(record.get("timestamp"))
        if kind == "message":
            turn = self._message(as_mapping(record.get("message")), turn, moment)
        elif kind == "compaction" and not turn.closed:
            turn.compactions.add(f"{moment or name}")
            turn.step(moment, Step.WORK, line, turn.last[2])
        if name:
            self._owners[name] = turn

    def _message(self, message: Mapping[str, Any], turn: Turn, moment: int | None) -> Turn:
        match message.get("role"):
            case "user":
                turn = self._begin(message, turn, moment)
            case "assistant":
                self._answer(message, turn, moment)
            case "toolResult":
                self._result(message, turn, moment)
            case _:
                pass
        return turn

    def _begin(self, message: Mapping[str, Any], before: Turn, moment: int | None) -> Turn:
        said = as_milliseconds(message.get("timestamp")) or moment
        text = _text(message.get("content"))
        if before.key and before.last[2] is None and before.calls and not before.closed:
            return before  # typed while the agent worked: it steers the task that runs
        words = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
        before.followed = self._current.followed = True
        self._current = Turn(key=f"{said} {words}", session=self._session, asked=type_from_prompt(text), file=self._path, folder=self._folder)
        self._current.prompted = f"line {self._line}"
        self._current.begin(said)
        self.turns.append(self._current)
        return self._current

    def _answer(self, message: Mapping[str, Any], turn: Turn, moment: int | None) -> None:
        usage, damaged = _usage(message.get("usage"))
        model = as_text(message.get("model")).strip() or "unknown"
        began = as_milliseconds(message.get("timestamp"))
        if damaged:
            turn.notes.add(Note.USAGE_DAMAGED)
        if usage != TokenUsage():
            turn.providers[model] = provider_named(as_text(message.get("provider")))
            told = as_money(as_mapping(as_mapping(message.get("usage")).get("cost")).get("total"))
            name = as_text(message.get("responseId")) or f"{began or moment} {model} {usage}"
            turn.add_call(ModelCall(id=name, model=model, usage=usage, at_ms=began or moment, reported_usd=told, record=f"line {self._line}"))
        for block in map(as_mapping, as_list(message.get("content"))):
            if block.get("type") == "toolCall" and (use := as_text(block.get("id"))):
                self._uses[use] = as_text(block.get("name")), as_mapping(block.get("arguments"))
                turn.tool_calls.add(use)
        ending = _ENDINGS.get(as_text(message.get("stopReason")))
        turn.step(moment, Step.WORK, self._line, ending)
        turn.closed = ending in {Ending.WORD, Ending.BUDGET, Ending.STOPPED}  # an error may be tried again

    def _result(self, message: Mapping[str, Any], turn: Turn, moment: int | None) -> None:
        use = as_text(message.get("toolCallId"))
        name, arguments = self._uses.get(use, (as_text(message.get("toolName")), {}))
        failed = message.get("isError") is True
        if name == "bash":
            text = _text(message.get("content"))
            succeeded = None if failed and _NO_STATUS.search(text[-500:]) else not failed
            turn.ran(use or f"{self._line}", as_text(arguments.get("command")), succeeded=succeeded, output=text, at=(moment or 0, self._line))
        elif not failed and (path := as_text(arguments.get("path"))):
            (turn.edited if name in _EDITING else turn.read).add(path)
            if name == "write":
                turn.created.add(path)
        turn.step(moment, Step.WORK, self._line, most=_INSTANT_MS if name in _INSTANT else LONGEST_STEP_MS)


def _text(content: Any) -> str:
    """The text of a message, which is a text or a list of blocks."""
    if isinstance(content, str):
        return as_text(content)
    return "\n".join(as_text(as_mapping(block).get("text")) for block in as_list(content))


def _usage(value: Any) -> tuple[TokenUsage, bool]:
    """The token counts of an answer, which do not overlap; and whether one is no number."""
    usage = as_mapping(value)
    damaged = not (usage and all(is_count(usage.get(name)) for name in _COUNTED))
    written = as_count(usage.get("cacheWrite"))
    hour = min(written, as_count(usage.get("cacheWrite1h")))
    return TokenUsage(
        uncached_input=as_count(usage.get("input")),
        cache_read=as_count(usage.get("cacheRead")),
        cache_write_5m=written - hour,
        cache_write_1h=hour,
        output=as_count(usage.get("output")),
    ), damaged
