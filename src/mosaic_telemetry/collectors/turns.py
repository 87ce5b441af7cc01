"""What is gathered of a task while logs are read, for harnesses that write down each step once.

Several files may hold the same turn: a copy, an earlier state of it, or a fork that took its history along. `fuller` picks one of
them. Law: it is associative, commutative and idempotent, so that neither the order of files nor the number of copies matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path

from mosaic_telemetry.collectors.activity import Spans
from mosaic_telemetry.collectors.gates import observe
from mosaic_telemetry.collectors.languages import names_in
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.values import ModelCall, Note
from mosaic_telemetry.schema import Provider, QualityGate, TaskType

__all__ = ["LONGEST_STEP_MS", "Check", "Step", "Turn", "fuller"]

LONGEST_STEP_MS = 600_000
"""A request to a model ends after ten minutes, and so do the tools of most harnesses; a longer gap is a machine asleep."""


class Step(Enum):
    """Whether time up to a moment was work."""

    WORK = auto()
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class Check:
    """What one command showed: when (milliseconds since 1970, and its place in the file), and the gates with a result."""

    at: tuple[int, int]
    verdicts: Mapping[QualityGate, bool]


@dataclass(slots=True, kw_only=True)
class Turn:
    """A task, or a subagent's part of one, before it is known to be complete.

    Attributes:
        key: what makes it this task, the same in every copy. Empty for what has no prompt.
        session: the harness's id of the session that it was read from.
        parent: the key of the task that a subagent worked for; empty for the agent itself.
        parent_session: the session of the agent that a subagent worked for, where no key is known.
        started_ms: time of the prompt.
        asked: the kind of work that the prompt asks for.
        calls: model calls by id.
        checks: by tool call, what a command showed.
        measured_ms: milliseconds at work as the harness measured them, None where it did not.
        last: time and line of the agent's last step, and its kind; None for one after which more must follow.
        closed: whether a record says that the agent was done or was stopped, and nothing came after it.
        settled: whether the last record looks like an end, in a log that does not say which is.
        followed: whether the person gave another prompt afterwards.
        providers: by model, who served it.
        windows: by model, its context window in tokens where the log tells it.
        file: where it was read.
        folder: where the agent worked; empty where the log does not tell.
        prompted: where in the file the prompt stands.
        version: that of the harness; empty where the log does not tell.
        telemetered: whether the harness's telemetry tells of the same session and the same requests.
    """

    key: str
    session: str
    parent: str = ""
    parent_session: str = ""
    started_ms: int | None = None
    ended_ms: int | None = None
    asked: TaskType = TaskType.UNKNOWN
    planned: bool = False
    calls: dict[str, ModelCall] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    tool_calls: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    compactions: set[str] = field(default_factory=set)
    notes: set[Note] = field(default_factory=set)
    providers: dict[str, Provider] = field(default_factory=dict)
    windows: dict[str, int] = field(default_factory=dict)
    work: Spans = field(default_factory=Spans)
    measured_ms: int | None = None
    last: tuple[int, int, Ending | None] = (-1, -1, None)
    closed: bool = False
    settled: bool = False
    followed: bool = False
    clock: int | None = None
    file: Path | None = None
    folder: str = ""
    prompted: str = ""
    version: str = ""
    telemetered: bool = False

    def links(self) -> Iterator[str]:
        """The ids that may stand in other files too."""
        yield from filter(None, (self.key, self.session, self.parent, self.parent_session))
        yield from self.calls

    def begin(self, moment: int | None) -> None:
        """Note when the prompt was given."""
        self.started_ms = self.clock = moment

    def step(self, moment: int | None, how: Step, line: int, ending: Ending | None = None, *, most: int = LONGEST_STEP_MS) -> None:
        """Note that a step ended at `moment`.

        Args:
            moment: milliseconds since 1970; None where the record has no time.
            how: whether a model or a tool worked since the step before.
            line: where it stands in the file.
            ending: what it means if nothing comes after it.
            most: milliseconds that it can have worked at most.
        """
        if ending is not None or how is Step.WORK:
            self.closed = False
        if moment is None:
            self.last = (self.last[0], line, ending)
            return
        self.started_ms = moment if self.started_ms is None else self.started_ms
        before = moment if self.clock is None else self.clock
        self.clock = max(before, moment)
        self.ended_ms = moment if self.ended_ms is None else max(self.ended_ms, moment)
        if how is Step.WORK:
            self.work.add(max(before, moment - most), moment)
        self.last = max(self.last, (moment, line, ending), key=lambda last: last[:2])

    def add_call(self, call: ModelCall) -> None:
        """Note a model call; a second record of it replaces the first where it is fuller, and keeps the earlier time."""
        known = self.calls.get(call.id)
        if known is None:
            self.calls[call.id] = call
            return
        times = [moment for moment in (known.at_ms, call.at_ms) if moment is not None]
        self.calls[call.id] = replace(max(known, call, key=_size), at_ms=min(times, default=None))

    def ran(self, use: str, command: str, *, succeeded: bool | None, output: str, at: tuple[int, int]) -> None:
        """Note a shell command and its result. `succeeded` is None where the log does not tell its exit status."""
        self.named.update(names_in(command))
        if verdicts := observe(command, succeeded=succeeded, output=output):
            self.checks[use] = Check(at, verdicts)

    @property
    def gates(self) -> dict[QualityGate, bool]:
        """The last known result of each gate."""
        results: dict[QualityGate, bool] = {}
        for _, check in sorted(self.checks.items(), key=lambda item: (item[1].at, item[0])):
            results.update(check.verdicts)
        return results

    @property
    def active_ms(self) -> int:
        """Milliseconds at work, and no more than the harness measured."""
        return self.work.total if self.measured_ms is None else min(self.work.total, self.measured_ms) or self.measured_ms


def fuller(one: Turn, other: Turn) -> Turn:
    """Of two records of the same turn the one that tells more; of two equal ones, that which was written first."""
    best = max(one, other, key=_fullness)
    best.followed = one.followed or other.followed
    return best


def _size(call: ModelCall) -> tuple[object, ...]:
    usage = call.usage
    return (not call.partial, usage.output, usage.input, usage.cache_write, usage.cache_read, usage.cache_write_1h, call.model)


def _fullness(turn: Turn) -> tuple[object, ...]:
    output = sum(call.usage.output for call in turn.calls.values())
    tokens = sum(call.usage.input for call in turn.calls.values())
    seen = len(turn.tool_calls) + len(turn.checks)
    early = (-(turn.ended_ms or 0), -(turn.started_ms or 0), [-ord(letter) for letter in turn.session])
    return (not turn.notes & {Note.USAGE_DAMAGED}, len(turn.calls), output, tokens, seen, turn.closed, *early)
