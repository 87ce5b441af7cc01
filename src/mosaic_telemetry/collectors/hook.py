"""A Claude Code session while it runs: what has been finished in its file since the last look.

Reading goes on at the last prompt known before. What a tail of a file cannot tell by itself makes it read the whole: a record
that answers one from before the tail, and a session with a longer context than the usual, whose window shows only in the whole.
So the tasks are those that `collect claude-code` finds in the same files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from mosaic_telemetry.collectors.claude_code import ClaudeCode
from mosaic_telemetry.collectors.claude_code.drafts import Draft
from mosaic_telemetry.collectors.claude_code.parsing import SessionFile
from mosaic_telemetry.collectors.reading import LONGEST_LINE, Counting
from mosaic_telemetry.collectors.untrusted import as_text
from mosaic_telemetry.collectors.values import Skipped, Task

__all__ = ["Finding", "Mark", "read_session"]

_USUAL_WINDOW = 200_000
_CLOCK_MS = 60_000  # a file's time and a record's come from different clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where reading a session goes on.

    Attributes:
        inode: of the file; another file by the same name is read from its beginning.
        offset: bytes before the line with the last prompt.
        line: lines before it.
        prompt: the prompt record's uuid, empty for none.
        done: whether its task has been dealt with.
        whole: whether the next look has to read the whole file again.
    """

    inode: int = 0
    offset: int = 0
    line: int = 0
    prompt: str = ""
    done: bool = False
    whole: bool = False

    def encode(self) -> str:
        """As text that `decode` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Self:
        """The mark in a text; that of a session never seen for a text that is none."""
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError):
            return cls()
        fits = [type(value) for value in asdict(found).values()] == [type(value) for value in asdict(cls()).values()]
        return found if fits and min(found.inode, found.offset, found.line) >= 0 else cls()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at a session found.

    Attributes:
        tasks: finished since the look before, oldest first.
        settled: whether the session's last task is finished.
        mark: where to go on, once these tasks have been dealt with.
        read: bytes of the session's own file that were read.
    """

    tasks: Sequence[Task]
    settled: bool
    mark: Mark
    read: int


class _Tail:
    """A session's file from a place on, read as far as it is written."""

    def __init__(self, path: Path, offset: int, line: int) -> None:
        self.session = SessionFile(path)
        self.first = ""
        self.strangers = False
        self.size = 0
        self._starts: dict[int, int] = {}
        known: set[str] = set()
        for start, number, record in _records(path, offset, line):
            uuid = as_text(record.get("uuid"))
            parents = [text for name in ("parentUuid", "logicalParentUuid") if (text := as_text(record.get(name)))]
            if not self._starts:
                self.first = uuid
            elif parents and known.isdisjoint(parents):
                self.strangers = True
            known.add(uuid)
            self._starts[number] = start
            self.session.feed(record, number)
        with suppress(OSError):
            self.size = max(0, path.stat().st_size - offset)

    @property
    def last(self) -> Draft | None:
        """The draft of the last prompt."""
        return next((draft for draft in reversed(self.session.drafts) if draft.key and draft.prompted), None)

    def mark(self, draft: Draft | None, inode: int, **more: bool) -> Mark:
        """The mark at the prompt of a draft."""
        line = draft.prompted[1] if draft is not None and draft.prompted is not None else 0
        if draft is None or line not in self._starts:
            return Mark(inode=inode)
        return Mark(inode=inode, offset=self._starts[line], line=line - 1, prompt=draft.key, **more)


def read_session(path: Path, mark: Mark, *, now_ms: int) -> Finding:
    """What is new in a session and its subagents.

    Args:
        path: the session's file.
        mark: what the look before returned; `Mark()` for the first.
        now_ms: milliseconds since 1970, to tell which task is finished.

    Raises:
        OSError: the file cannot be read.
    """
    inode = path.stat().st_ino
    known = mark if mark.inode == inode else Mark()
    tail = _Tail(path, 0 if known.whole else known.offset, 0 if known.whole else known.line)
    read = tail.size
    if not known.whole and known.offset and (tail.first != known.prompt or tail.strangers):
        known = known if tail.first == known.prompt else Mark()
        tail = _Tail(path, 0, 0)
        read += tail.size
    keys = {draft.key for draft in tail.session.drafts if draft.prompted is not None and draft.prompted[1] > known.line}
    last = tail.last
    parts = [*tail.session.drafts, *_subagents(path, _began(tail.session.drafts))]
    found = ClaudeCode().join(parts, now_ms=now_ms, files=1, skipped=0)
    tasks = [task for task in found.tasks if task.identity in keys and not (known.done and task.identity == known.prompt)]
    done = last is not None and any(task.identity == last.key for task in found.tasks)
    wide = known.whole or any(call.usage.input > _USUAL_WINDOW for task in found.tasks for call in task.calls if not call.subagent)
    settled = last is None or done or (last.closed_ms >= 0 and last.closed_ms >= last.last[0])
    return Finding(tasks, settled, tail.mark(last, inode, done=done, whole=wide), read)


def _records(path: Path, offset: int, line: int) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    """Offset, number and object of each line that is one; what is half-written or damaged is passed over, as by `collect`."""
    with path.open("rb") as file:
        file.seek(offset)
        number = line
        while text := file.readline(LONGEST_LINE):
            start, offset = offset, offset + len(text)
            number += 1
            if len(text) == LONGEST_LINE and not text.endswith(b"\n"):
                while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    offset += len(rest)
                offset += len(rest)
                continue
            try:
                record = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield start, number, record


def _began(drafts: Sequence[Draft]) -> int:
    """When the first of these tasks began, in milliseconds since 1970; 0 where that is not known."""
    moments = [moment for draft in drafts for moment in (draft.started_ms, draft.first_ms) if moment is not None]
    return min(moments, default=0)


def _subagents(path: Path, since_ms: int) -> Iterator[Draft]:
    """What subagents did that wrote something since then: those of the session, and in the older layout all beside it."""
    files = [*path.parent.glob("agent-*.jsonl"), *path.with_suffix("").rglob("agent-*.jsonl")]
    for file in sorted(files):
        try:
            if file.stat().st_mtime_ns // 1_000_000 < since_ms - _CLOCK_MS:
                continue
        except OSError:
            continue
        yield from ClaudeCode().read((file,), Counting(_Nobody()))


class _Nobody:
    """A watcher that is not interested."""

    def advance(self, size: int) -> None:
        """Pass over."""

    def skip(self, skipped: Skipped) -> None:
        """Pass over."""
