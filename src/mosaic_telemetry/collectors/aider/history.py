"""aider's chat history (`.aider.chat.history.md`): what was said, without times, with token counts that are mostly rounded."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mosaic_telemetry.collectors.reading import Watcher
from mosaic_telemetry.collectors.untrusted import as_moment
from mosaic_telemetry.collectors.values import Skipped

__all__ = ["Answer", "Chat", "Prompt", "read_chats"]

_LONGEST = 64 * 1024 * 1024
_STARTED = re.compile(r"# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*$")
_MODEL = re.compile(r"> (?:Main model|Models?): (\S+) with ")
_N = r"[\d.,]+[kM]?"
_TOKENS = re.compile(rf"> Tokens: ({_N}) sent,(?: {_N} cache (?:write|hit),)* ({_N}) received\.(?: Cost: \$([\d.]+) (?:message|request))?")
_EDITED = re.compile(r"> Applied edit to (.+?)\s*$")
_ADDED = re.compile(r"> Added (.+?) to the chat\b")
_FIXING = re.compile(r"> Attempt to fix (lint|test) errors\?")
_PROMPTING = ("/architect ", "/ask ", "/code ")
_UNITS = {"k": 1_000, "M": 1_000_000}
_OUT_OF_BUDGET = ("has hit a token limit", "exceeds the", "exhausted", "quota")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: tokens as written, the cost as written, and whether the counts are rounded."""

    read: int
    written: int
    cost: float | None
    rounded: bool
    model: str

    def fits(self, read: int, written: int) -> bool:
        """Whether this may be the answer with these exact counts."""
        return all(abs(shown - true) <= max(1, true * 0.06) for shown, true in ((self.read, read), (self.written, written)))


@dataclass(slots=True)
class Prompt:
    """A person's prompt and what came of it; `checks` are the results of lint and test runs, in their order."""

    text: str
    answers: list[Answer] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    checks: list[tuple[str, bool]] = field(default_factory=list)
    stopped: bool = False
    over_budget: bool = False


@dataclass(slots=True)
class Chat:
    """One run of the program. `started` is in the local time of the machine that wrote it; `command` how it was called."""

    started: str
    file: Path
    command: str = ""
    model: str = ""
    added: list[str] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What it is known by: when it began, and how."""
        first = self.prompts[0].text if self.prompts else ""
        return f"{self.started} {self.command} {first}"

    @property
    def started_ms(self) -> int | None:
        """Milliseconds since 1970, by the time zone of this machine, which mostly is the one that wrote it."""
        try:
            return as_moment(datetime.fromisoformat(self.started).astimezone().isoformat())
        except (ValueError, OverflowError, OSError):
            return None

    @property
    def answers(self) -> list[Answer]:
        """All answers, in their order."""
        return [answer for prompt in self.prompts for answer in prompt.answers]


def read_chats(path: Path, watcher: Watcher) -> Iterator[Chat]:
    """The chats in a history, oldest first. Never raises for what the file holds."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            text = file.read(_LONGEST).decode("utf-8", "replace")
        watcher.advance(path.stat().st_size)
    except (OSError, EOFError, zlib.error) as error:
        watcher.skip(Skipped(path, 0, f"cannot be read: {getattr(error, 'strerror', None) or error}"))
        return
    chat: Chat | None = None
    asking: list[str] = []
    for line in [*text.split("\n"), ""]:
        if asking and not line.startswith("#### "):
            if chat is not None:
                _ask(chat, "\n".join(asking))
            asking = []
        if line.startswith("#### "):
            asking.append(line[5:].rstrip())
        elif started := _STARTED.match(line):
            if chat is not None:
                yield chat
            chat = Chat(started.group(1), path)
        elif chat is not None and line.startswith("> "):
            _remark(chat, line)
    if chat is not None:
        yield chat


def _ask(chat: Chat, text: str) -> None:
    """A prompt, unless it is a command that aider carries out itself."""
    command = next((name for name in _PROMPTING if text.startswith(name)), "")
    if not text.startswith(("/", "!")) or command:
        chat.prompts.append(Prompt(text.removeprefix(command)))


def _remark(chat: Chat, line: str) -> None:
    """What aider itself says."""
    if not chat.command and "aider " in line and " --" in line:
        chat.command = line[2:].strip()
    elif found := _MODEL.match(line):
        chat.model = found.group(1)
    elif found := _ADDED.match(line):
        chat.added.append(found.group(1))
    if not chat.prompts:
        return
    prompt = chat.prompts[-1]
    if found := _TOKENS.match(line):
        read, written = _count(found.group(1)), _count(found.group(2))
        rounded = found.group(1)[-1] in _UNITS or found.group(2)[-1] in _UNITS
        prompt.answers.append(Answer(read, written, float(found.group(3)) if _is_number(found.group(3)) else None, rounded, chat.model))
    elif found := _EDITED.match(line):
        prompt.edited.append(found.group(1))
    elif found := _FIXING.match(line):
        prompt.checks.append((found.group(1), False))
    elif "KeyboardInterrupt" in line or "^C again to exit" in line:
        prompt.stopped = True
    elif any(sign in line for sign in _OUT_OF_BUDGET):
        prompt.over_budget = True


def _count(text: str) -> int:
    unit = _UNITS.get(text[-1], 1)
    number = text.rstrip("kM").replace(",", "")
    return min(round(float(number) * unit), 100_000_000) if _is_number(number) else 0


def _is_number(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"\d{1,12}(?:\.\d{0,9})?", text) is not None
