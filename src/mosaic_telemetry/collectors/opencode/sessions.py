"""From the records of opencode to turns: from a person's prompt to the agent's last word before the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from mosaic_telemetry.collectors.opencode.loading import Store
from mosaic_telemetry.collectors.opencode.records import Message, Part, Spent
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.serving import provider_named
from mosaic_telemetry.collectors.turns import LONGEST_STEP_MS, Check, Turn
from mosaic_telemetry.collectors.values import ModelCall, Note
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import TaskType

__all__ = ["turns_of"]

_REPLAYED_MS = 1_000
"""A prompt that follows a compaction this soon was not typed: the harness gives the last one again, since it did not fit before."""

_BUDGET_ERRORS = frozenset({"ContextOverflowError", "MessageOutputLengthError"})
_BUDGET_SIGNS = ("credit balance", "exceeded your current quota", "insufficient_quota", "prompt is too long", "usage limit")
_MORE = frozenset({"tool-calls", "unknown"})
_TALKING = frozenset({"file", "subtask", "text"})


def turns_of(store: Store) -> list[Turn]:
    """The turns of all sessions."""
    sessions: dict[str, list[Message]] = defaultdict(list)
    for message in store.messages.values():
        sessions[message.session].append(message)
    turns: list[Turn] = []
    starters: dict[str, Turn] = {}
    for session, messages in sorted(sessions.items()):
        messages.sort(key=lambda message: (message.created_ms or 0, message.id))
        talk = _Talk(session, store)
        for number, message in enumerate(messages):
            talk.take(message, number)
        turns += talk.turns
        starters |= talk.started
    for turn in turns:
        if turn.parent_session and turn.session in starters:
            turn.parent = starters[turn.session].key
    return turns


class _Talk:
    """One session, message by message."""

    def __init__(self, session: str, store: Store) -> None:
        self.turns: list[Turn] = []
        self.started: dict[str, Turn] = {}
        self._session = session
        self._store = store
        self._parent = store.parents.get(session, "")
        self._owners: dict[str, Turn | None] = {}
        self._latest: Message | None = None
        self._overflow = False
        self._current: Turn | None = None
        if self._parent:
            # What a subagent is asked is no person's prompt: its whole session is one part of a task.
            self._current = self._begin(Turn(key=f"subagent {session}", session=session, parent_session=self._parent))

    def take(self, message: Message, number: int) -> None:
        """Take in the next message."""
        parts = self._store.parts_of(message)
        if message.role == "user":
            self._owners[message.id] = self._asked(message, parts)
        elif message.role == "assistant":
            turn = self._owners.get(message.parent, self._current)
            if turn is None:
                turn = self._begin(Turn(key="", session=self._session, file=message.file))
            turn.folder = turn.folder or message.folder
            turn.file = turn.file or message.file
            self._answered(turn, message, parts, number)
            self._latest = message

    def _begin(self, turn: Turn) -> Turn:
        self.turns.append(turn)
        return turn

    # --- the person -------------------------------------------------------------------------------------------------

    def _asked(self, message: Message, parts: Sequence[Part]) -> Turn | None:
        """The turn that a user message belongs to; None for a command of the person's own."""
        current = self._current
        if any(part.shell for part in parts):
            return None
        compaction = next((part for part in parts if part.kind == "compaction"), None)
        said = not parts or any(part.kind in _TALKING and not part.own for part in parts)
        if compaction is not None:
            self._overflow = compaction.overflow
            if current is None or (not compaction.automatic and current.closed):
                return None  # `/compact` between two tasks is no part of either
            current.compactions.add(f"{message.created_ms}")
        elif said and not self._parent and not self._goes_on(message):
            if current is not None:
                current.followed = True
            asked = next((part.asked for part in parts if part.asked is not TaskType.UNKNOWN), TaskType.UNKNOWN)
            key = f"{message.created_ms} {message.id}"  # until an answer tells what all copies of it have in common
            current = self._current = self._begin(Turn(key=key, session=self._session, asked=asked, planned=message.agent == "plan", file=message.file))
            current.prompted = f"message {message.id}"
            current.begin(message.created_ms)
        elif current is not None and current.clock is None:
            current.begin(message.created_ms)
        return current

    def _goes_on(self, message: Message) -> bool:
        """Whether the turn goes on with this prompt: given while the agent worked, or given again by the harness."""
        latest = self._latest
        if self._current is None or latest is None or message.created_ms is None or latest.created_ms is None:
            return False
        done = latest.completed_ms or 0
        if latest.summary and self._overflow:
            return 0 <= message.created_ms - done <= _REPLAYED_MS
        return latest.created_ms <= message.created_ms < done and _ending(latest) is None

    # --- the agent --------------------------------------------------------------------------------------------------

    def _answered(self, turn: Turn, message: Message, parts: Sequence[Part], number: int) -> None:
        if turn.key.endswith(f" {message.parent}") and not message.summary:
            turn.key = _common_key(turn, message)
        calls = _calls(message, parts)
        for call in calls:
            turn.add_call(call)
        if calls:
            turn.providers[message.model] = provider_named(message.provider)
        if any(spent.damaged for spent in _steps(message, parts)):
            turn.notes.add(Note.USAGE_DAMAGED)
        end = self._worked(turn, message, parts)
        for order, part in enumerate(parts):
            if part.tool is not None:
                self._ran(turn, part, (part.tool.end_ms or end or 0, number * 10_000 + order))
        ending = _ending(message)
        if end is not None:
            turn.last = max(turn.last, (end, number, ending), key=lambda last: last[:2])
            turn.closed = ending is not None and message.completed_ms is not None

    def _ran(self, turn: Turn, part: Part, at: tuple[int, int]) -> None:
        tool = part.tool
        if tool is None:
            return
        turn.tool_calls.add(tool.call)
        turn.edited.update(tool.edited)
        turn.created.update(tool.created)
        turn.read.update(tool.read)
        turn.named.update(tool.named)
        if tool.verdicts:
            turn.checks[tool.call] = Check(at, tool.verdicts)
        if tool.child and tool.child != self._session:
            self.started[tool.child] = turn

    @staticmethod
    def _worked(turn: Turn, message: Message, parts: Sequence[Part]) -> int | None:
        """Note when model and tools were busy for a message: all its time but what a tool waited for the person. Returns its end."""
        start = message.created_ms
        tools = sorted((tool.start_ms, tool.end_ms or tool.start_ms, tool.most_ms) for part in parts if (tool := part.tool) and tool.start_ms is not None)
        moments = [moment for moment in (start, message.completed_ms, *(end for _, end, _ in tools)) if moment is not None]
        if not moments:
            return None
        clock = turn.clock if turn.clock is not None else min(moments)
        for begin, end, most in tools:
            turn.work.add(max(clock, begin - LONGEST_STEP_MS), begin)
            turn.work.add(begin, min(end, begin + most))
            clock = max(clock, end)
        end = max(moments)
        turn.work.add(max(clock, end - LONGEST_STEP_MS), end)
        turn.clock = max(clock, end)
        turn.started_ms = min(moments) if turn.started_ms is None else turn.started_ms
        turn.ended_ms = end if turn.ended_ms is None else max(turn.ended_ms, end)
        return end


def _common_key(turn: Turn, message: Message) -> str:
    """What identifies a turn in every copy: a fork gives its copies new ids, but keeps their times and tokens."""
    return " ".join(map(str, (turn.started_ms, message.created_ms, message.completed_ms, message.provider, message.model, *_numbers(message.spent.usage))))


def _steps(message: Message, parts: Sequence[Part]) -> list[Spent]:
    """What the model calls of a message used: by its steps, or where these are lost, by the message itself."""
    steps = [part.spent for part in parts if part.spent is not None]
    together = sum((step.usage for step in steps), TokenUsage())
    return steps if steps and (together.output, together.input) >= message.spent.size else [message.spent]


def _calls(message: Message, parts: Sequence[Part]) -> list[ModelCall]:
    calls = []
    for number, spent in enumerate(_steps(message, parts)):
        begun = sum(part.kind == "step-start" for part in parts) > number
        if not any(_numbers(spent.usage)) and not begun:
            continue  # a message of the harness, without a model
        identity = (message.created_ms or message.id, number, message.provider, message.model, *_numbers(spent.usage))
        calls.append(
            ModelCall(
                id=" ".join(map(str, identity)),
                model=message.model,
                usage=spent.usage,
                at_ms=message.created_ms,
                partial=not any(_numbers(spent.usage)),
                reported_usd=spent.cost,
                record=f"message {message.id}",
            )
        )
    return calls


def _numbers(usage: TokenUsage) -> tuple[int, ...]:
    return (usage.uncached_input, usage.cache_read, usage.cache_write_5m, usage.output)


def _ending(message: Message) -> Ending | None:
    """What a message means if it is the last; None where more must follow."""
    if message.error:
        if message.error == "MessageAbortedError":
            return Ending.STOPPED
        budget = message.error in _BUDGET_ERRORS or any(sign in message.error_text for sign in _BUDGET_SIGNS)
        return Ending.BUDGET if budget else Ending.ERROR
    if message.summary or message.completed_ms is None or message.finish in _MORE:
        return None
    if message.finish == "length":
        return Ending.BUDGET
    return Ending.ERROR if message.finish in {"content-filter", "error"} else Ending.WORD
