"""What every collector makes of a harness's logs, whatever they look like.

Times are whole milliseconds since 1970 (UTC). None of these holds text of a prompt, an answer, a command or a file's content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from mosaic_telemetry.pricing import Price, PriceList, PriceSource, TokenUsage, price_call, total_price
from mosaic_telemetry.schema import Complexity, Harness, Outcome, Provider, QualityGate, TaskType

__all__ = ["Collection", "Evidence", "ModelCall", "Note", "Skipped", "Task", "Totals", "Waiting"]


class Note(StrEnum):
    """What is to be known about a task's numbers."""

    OUTPUT_UNDERREPORTED = "this version of the harness writes too few output tokens to its log"
    OUTPUT_PARTIAL = "some calls left only a record of their beginning: their output tokens are too few"
    USAGE_DAMAGED = "a token count is missing or is no number"
    NO_WINDOW = "the model's context window is not known"
    NO_DURATION = "the records show no time at work"
    NO_TIME = "the log tells no time: its file's is taken, and the oldest price that is known"
    ROUNDED = "the log gives token counts only rounded"
    RETRIES_NOT_LOGGED = "the harness does not log retries of a task: 0 is no evidence"


_UNRELIABLE = frozenset({Note.OUTPUT_UNDERREPORTED, Note.OUTPUT_PARTIAL, Note.USAGE_DAMAGED, Note.ROUNDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One answer of a model, counted once however often it was written down.

    Attributes:
        id: the answer's id, as the API gave it.
        model: the model as the harness writes it.
        usage: the tokens of this call.
        at_ms: when it was first seen; None where no record of it has a time.
        subagent: whether a subagent made it.
        context: what selects a special price (see `price_call`).
        partial: whether only a record of its beginning is left.
        reported_usd: what the harness itself says that the call cost, in US dollars; None where it does not.
        unsplit: whether the log does not tell cached input from other input, so that the harness knows the cost better.
        vendor: whose price it is, where the model's name does not tell (see `price_call`).
        details: more classes of tokens that have their own price (see `price_call`).
        file: where it was read.
        record: where in that file: `line 12`, or the id of a row.
    """

    id: str
    model: str
    usage: TokenUsage
    at_ms: int | None = None
    subagent: bool = False
    context: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    reported_usd: Decimal | None = None
    unsplit: bool = False
    vendor: str = ""
    details: Mapping[str, int] = field(default_factory=dict)
    file: Path | None = None
    record: str = ""

    def price(self, prices: PriceList | None = None, provider: Provider | None = None) -> Price:
        """What this call cost at its time: by the person's own list, by the library's, or where only it can know, by what the harness says.

        Args:
            prices: the person's own list.
            provider: who served it, for that list.
        """
        found = self._price()
        return found if prices is None else prices.price(self.model, provider or "", self.usage, found)

    def _price(self) -> Price:
        said = None if self.reported_usd is None else Price(self.reported_usd, PriceSource.REPORTED)
        if said is not None and self.unsplit:
            return said
        at = None if self.at_ms is None else datetime.fromtimestamp(self.at_ms / 1000, UTC)
        found = price_call(self.model, self.usage, at=at, context=self.context, vendor=self.vendor, details=self.details)
        return said if found.usd is None and said is not None else found


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a number comes from.

    Attributes:
        rule: by which rule, in words.
        file: where it was read; None where it is in no single file.
        records: where in that file: `line 12`, or ids of rows.
    """

    rule: str
    file: Path | None = None
    records: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that is not finished yet: the files that tell of it, and when it counts as finished if nothing more is written."""

    files: frozenset[Path]
    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One finished task: from a person's prompt to the agent's last word before the next, subagents included.

    Attributes:
        identity: text that is the same whenever and from whichever copy of the logs the task is read.
        session: the harness's id of the session.
        started_ms: when the prompt was given.
        ended_ms: when the agent last did something for it.
        active_ms: time that models and tools worked, without that of waiting for the person.
        calls: the model calls, oldest first; at least one.
        model: the model that did most of it.
        gates: for each gate seen, whether its last known result was a pass.
        compactions: times that the context was compacted.
        context_utilization: share of the context window that the last call filled, 0.0 to 1.0; 0.0 where it is not known.
        language: main programming language of the files touched, or None.
        notes: what is to be known about the numbers.
        folder: where the agent worked, as the log tells it; empty where it does not. It never leaves this machine.
        evidence: by number, where it comes from, apart from what the calls themselves tell.
        files: all files that tell of it.
        version: that of the harness; empty where the log does not tell.
        shared: what identifies the task in the harness's log and in its telemetry alike; empty where nothing does.
    """

    identity: str
    harness: Harness
    session: str
    started_ms: int
    ended_ms: int
    active_ms: int
    calls: Sequence[ModelCall]
    model: str
    provider: Provider
    task_type: TaskType
    complexity: Complexity
    gates: Mapping[QualityGate, bool]
    outcome: Outcome
    compactions: int
    context_utilization: float
    language: str | None
    notes: frozenset[Note]
    folder: str = ""
    evidence: Mapping[str, Evidence] = field(default_factory=dict, compare=False)
    files: frozenset[Path] = field(default=frozenset(), compare=False)
    version: str = field(default="", compare=False)
    shared: str = ""

    @property
    def usage(self) -> TokenUsage:
        """The tokens of all calls."""
        return sum((call.usage for call in self.calls), TokenUsage())

    @property
    def unreliable(self) -> bool:
        """Whether its token counts are known to be wrong."""
        return not self.notes.isdisjoint(_UNRELIABLE)

    def price(self, prices: PriceList | None = None) -> Price:
        """What the task cost: the sum over its calls, each priced on its own. Unknown when one of them is."""
        return total_price(call.price(prices, self.provider) for call in self.calls)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that could not be used: the file, the line in it (from 1; 0 for none in particular), and why."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """All that a session's calls used, inside tasks and outside, before anything is clamped or left out.

    Attributes:
        calls: model calls.
        recorded: tokens of calls that have a record of their own.
        partial: tokens of calls of which only the beginning was recorded; their output is too low.
    """

    calls: int = 0
    recorded: TokenUsage = field(default_factory=TokenUsage)
    partial: TokenUsage = field(default_factory=TokenUsage)

    def with_call(self, call: ModelCall) -> Totals:
        """These totals and one call more."""
        if call.partial:
            return Totals(calls=self.calls + 1, recorded=self.recorded, partial=self.partial + call.usage)
        return Totals(calls=self.calls + 1, recorded=self.recorded + call.usage, partial=self.partial)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What was found in a harness's logs.

    Attributes:
        tasks: the finished tasks, oldest first.
        waiting: tasks that are not finished yet; they are reported another time.
        files: files read.
        skipped: lines and files that could not be used.
        totals: by session, all that was used.
        outside: calls that belong to no task: made before the first prompt, or by a subagent whose session is not there.
    """

    tasks: Sequence[Task]
    waiting: Sequence[Waiting]
    files: int
    skipped: int
    totals: Mapping[str, Totals]
    outside: Sequence[ModelCall]

    @property
    def running(self) -> int:
        """How many tasks are not finished yet."""
        return len(self.waiting)
