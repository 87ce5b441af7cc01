"""aider's analytics log (`--analytics-log FILE`): JSON lines with whole seconds, the answers of models among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.aider.history import Chat
from mosaic_telemetry.collectors.reading import Watcher, read_records
from mosaic_telemetry.collectors.untrusted import as_count, as_mapping, as_milliseconds, as_text, is_count

__all__ = ["Run", "Send", "read_runs"]

_NEAR_MS = 3_000
_QUARTER_MS = 900_000
_WORLD_MS = 15 * 3_600_000  # no two clocks on Earth are further apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One answer of a model.

    Attributes:
        began_ms: when it was asked.
        at_ms: when it had answered.
        prompted: whether a person may have asked, and not aider by itself after a failed check.
    """

    began_ms: int
    at_ms: int
    model: str
    read: int
    written: int
    cost: Any
    damaged: bool
    prompted: bool
    line: int


@dataclass(slots=True)
class Run:
    """One run of the program.

    Attributes:
        user: aider's random id of the installation.
        started_ms: when it was launched.
        file: the log that tells of it.
        interactive: whether a person could give several prompts.
        exited: whether its end is in the log.
        failed: whether it was still waiting for an answer at the end.
    """

    user: str
    started_ms: int
    file: Path
    sends: list[Send] = field(default_factory=list)
    interactive: bool = False
    exited: bool = False
    failed: bool = False

    @property
    def key(self) -> str:
        """What it is known by: whose it is, when it began, and its first answer, since two can begin in the same second."""
        first = self.sends[0] if self.sends else None
        return f"{self.user} {self.started_ms} {(first.at_ms, first.read, first.written) if first else ''}"

    def wrote(self, chat: Chat) -> bool:
        """Whether `chat` is this run's, by the second it began at. The history has no time zone; one is whole quarters of an hour."""
        if chat.started_ms is None or not self.sends or not chat.answers:
            return False
        off = (chat.started_ms - self.started_ms) % _QUARTER_MS
        near = min(off, _QUARTER_MS - off) <= _NEAR_MS and abs(chat.started_ms - self.started_ms) <= _WORLD_MS
        fitting = (answer.fits(send.read, send.written) for answer, send in zip(chat.answers, self.sends, strict=False))
        return near and len(chat.answers) == len(self.sends) and all(fitting)


def read_runs(path: Path, watcher: Watcher) -> Iterator[Run]:
    """The runs in a log, oldest first."""
    runs: list[Run] = []
    began: int | None = None
    prompted = True
    for line, record in read_records(path, watcher):
        moment = as_milliseconds(record.get("time"), 1000)
        event = as_text(record.get("event"))
        if moment is None:
            continue
        if event == "launched" or not runs:
            runs.append(Run(as_text(record.get("user_id")), moment, path))
            began, prompted = None, True
        run = runs[-1]
        match event:
            case "message_send_starting":
                run.failed = began is not None
                began = moment
            case "message_send":
                run.sends.append(_send(as_mapping(record.get("properties")), began if began is not None else moment, moment, line, prompted=prompted))
                began, prompted = None, False
            case "cli session" | "gui session":
                run.interactive = True
            case "exit":
                run.exited, run.failed = True, began is not None
            case _ if event.startswith("command_"):
                prompted = True
            case _:
                pass
    yield from runs


def _send(properties: Mapping[str, Any], began: int, moment: int, line: int, *, prompted: bool) -> Send:
    counts = ("prompt_tokens", "completion_tokens")
    return Send(
        began_ms=min(began, moment),
        at_ms=moment,
        model=as_text(properties.get("main_model")).strip(),
        read=as_count(properties.get(counts[0])),
        written=as_count(properties.get(counts[1])),
        cost=properties.get("cost"),
        damaged=not all(name in properties and is_count(properties[name]) for name in counts),
        prompted=prompted,
        line=line,
    )
