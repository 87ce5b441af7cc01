"""What is gathered of a task while files are read. Several files may hold parts or copies of one task: drafts can be merged.

Law: merging is associative, commutative and idempotent, so that neither the order of files nor the number of copies matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mosaic_telemetry.collectors.activity import Spans
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import QualityGate, TaskType

__all__ = ["Answer", "Checked", "Draft"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a model, as one or several records of it tell.

    Attributes:
        id: the API's id of the answer.
        damaged: whether a token count was no number.
        recorded: whether a record of its own stands in the log, and not just one of a subagent's progress.
        fast: whether it was served at the higher speed, which has its own price.
        file, line: where the fullest record of it stands.
    """

    id: str
    model: str
    usage: TokenUsage
    first_ms: int | None
    last_ms: int | None
    subagent: bool
    recorded: bool
    damaged: bool
    fast: bool
    version: str
    file: Path
    line: int

    def merged(self, other: Answer) -> Answer:
        """Both: the usage with the most output (the log repeats an answer while it is still being written), the earliest time."""
        fuller = max(self, other, key=_fullness)
        return replace(
            fuller,
            first_ms=_min(self.first_ms, other.first_ms),
            last_ms=_max(self.last_ms, other.last_ms),
            subagent=self.subagent and other.subagent,
            recorded=self.recorded or other.recorded,
            fast=self.fast or other.fast,
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """What one shell command proved: when it ended, where that stands, and the gates with a result."""

    at_ms: int
    file: Path
    line: int
    verdicts: Mapping[QualityGate, bool]

    @property
    def order(self) -> tuple[object, ...]:
        """Tells the earliest copy."""
        return (self.at_ms, sorted(self.verdicts.items()), self.file, self.line)


@dataclass(slots=True)
class Draft:
    """A task, or the part of one that a subagent did, before it is known to be complete.

    Attributes:
        key: what makes it this task: the prompt record's uuid. Empty for a subagent's part and for what has no prompt.
        prompt: the harness's id of the prompt, which its telemetry gives too; empty where the log does not, or copies disagree.
        session: the session it was read from.
        agent: the subagent's id; empty for the agent itself.
        started_ms: time of the prompt.
        asked: the kind of work that the prompt asks for.
        answers: model answers by id.
        gates: by tool call, what a shell command proved.
        tool_calls: ids of the tool calls.
        agents: ids of subagents that it started.
        turns: by record, when a turn ended and the milliseconds at work in it, as the harness measured them.
        work: when models and tools were busy.
        last: time, line and kind of the agent's own last step; None for one after which more must follow.
        closed_ms: when a record last said that the agent was done or was stopped.
        followed: whether the person gave another prompt afterwards.
        files: all files that tell of it; the prompt stands in `prompted`, a file and a line.
        folder: where the agent worked.
        streamed: whether it comes from what the harness printed, not from its log.
    """

    key: str
    session: str
    agent: str = ""
    started_ms: int | None = None
    asked: TaskType = TaskType.UNKNOWN
    planned: bool = False
    answers: dict[str, Answer] = field(default_factory=dict)
    gates: dict[str, Checked] = field(default_factory=dict)
    tool_calls: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    compactions: set[str] = field(default_factory=set)
    turns: dict[str, tuple[int, int]] = field(default_factory=dict)
    work: Spans = field(default_factory=Spans)
    first_ms: int | None = None
    ended_ms: int | None = None
    last: tuple[int, int, Ending | None] = (-1, -1, None)
    closed_ms: int = -1
    followed: bool = False
    files: set[Path] = field(default_factory=set)
    prompted: tuple[Path, int] | None = None
    folder: str = ""
    prompt: str = ""
    streamed: bool = False

    def links(self) -> Iterator[str]:
        """The ids that may stand in other files too."""
        yield from filter(None, (self.key, self.session, self.agent))
        yield from self.agents
        yield from self.answers

    def add_answer(self, answer: Answer) -> None:
        """Note an answer, or one more record of it."""
        known = self.answers.get(answer.id)
        self.answers[answer.id] = answer if known is None else known.merged(answer)

    def saw(self, moment: int) -> None:
        """Note that something happened for the task."""
        self.first_ms = _min(self.first_ms, moment)

    def worked(self, moment: int, busy_ms: int) -> None:
        """Note that a step ended at `moment` after at most `busy_ms` of work."""
        self.saw(moment)
        self.ended_ms = _max(self.ended_ms, moment)
        self.work.add(moment - busy_ms, moment)

    @property
    def measured(self) -> bool:
        """Whether the harness measured the turns up to the last step."""
        return max((moment for moment, _ in self.turns.values()), default=-1) >= self.last[0] >= 0

    @property
    def active_ms(self) -> int:
        """Milliseconds at work: where the harness measured the turns, not more than those."""
        return min(self.work.total, sum(length for _, length in self.turns.values())) if self.measured else self.work.total

    def absorb(self, other: Draft) -> None:
        """Take over all that another draft of the same task knows, or a subagent's part of it."""
        if self.key == other.key:
            self.session = min(self.session, other.session)
            self.started_ms = _min(self.started_ms, other.started_ms)
            self.asked = min(self.asked, other.asked) if TaskType.UNKNOWN not in {self.asked, other.asked} else _known(self.asked, other.asked)
            self.last = max(self.last, other.last, key=lambda last: (last[0], last[1], last[2] is not None and last[2].value))
            self.closed_ms = max(self.closed_ms, other.closed_ms)
            self.followed |= other.followed
            self.compactions |= other.compactions
            self.turns |= other.turns
            self.folder = max(self.folder, other.folder)
            self.prompt = self.prompt if self.prompt == other.prompt else ""
            self.prompted = min(filter(None, (self.prompted, other.prompted)), default=None)
        self.planned |= other.planned
        for answer in other.answers.values():
            self.add_answer(answer)
        for call, checked in other.gates.items():
            self.gates[call] = min(self.gates.get(call, checked), checked, key=lambda one: one.order)
        for name in ("tool_calls", "agents", "edited", "created", "read", "named", "files"):
            getattr(self, name).update(getattr(other, name))
        self.work.update(other.work)
        self.first_ms = _min(self.first_ms, other.first_ms)
        self.ended_ms = _max(self.ended_ms, other.ended_ms)


def _fullness(answer: Answer) -> tuple[object, ...]:
    usage = answer.usage
    return (not answer.damaged, usage.output, usage.input, usage.cache_write_1h, usage.cache_write_5m, usage.cache_read, answer.version, answer.model)


def _known(one: TaskType, other: TaskType) -> TaskType:
    return other if one is TaskType.UNKNOWN else one


def _min(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _max(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)
