"""From runs in the analytics log and chats in the history to turns. Where both tell of a run, each gives what it knows best."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from decimal import Decimal

from mosaic_telemetry.collectors.aider.analytics import Run, Send
from mosaic_telemetry.collectors.aider.history import Chat, Prompt
from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.serving import provider_of_model
from mosaic_telemetry.collectors.turns import Check, Step, Turn
from mosaic_telemetry.collectors.untrusted import as_money
from mosaic_telemetry.collectors.values import ModelCall, Note
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import QualityGate

__all__ = ["turns_of_chat", "turns_of_run"]

_AT_ONCE_MS = 2_000
_GATES = {"lint": QualityGate.LINT, "test": QualityGate.TEST}
_FLAGS = {"lint": re.compile(r"\s--lint-cmd\b(?!.*\s--no-auto-lint\b)"), "test": re.compile(r"\s--auto-test\b")}


def turns_of_run(run: Run, chat: Chat | None) -> list[Turn]:
    """The turns of a run. The chat, where it is there, tells which answers belong to one prompt; else their times do."""
    turns: list[Turn] = []
    at = 0
    for number, (sends, prompt) in enumerate(_groups(run, chat)):
        turn = Turn(key=f"{run.key} {number}", session=run.key, file=run.file, prompted=f"line {sends[0].line}")
        turn.folder = str(chat.file.parent) if chat is not None else ""
        turn.begin(sends[0].began_ms)
        for send in sends:
            shown = chat.answers[at].model if chat is not None else ""
            at += 1
            model = (shown if not send.model or "REDACTED" in send.model else send.model) or send.model or "unknown"
            turn.step(send.began_ms, Step.WORK, send.line, turn.last[2])
            turn.step(send.at_ms, Step.WORK, send.line, Ending.WORD)
            _add(turn, model, TokenUsage(uncached_input=send.read, output=send.written), send.at_ms, as_money(send.cost))
            if send.damaged:
                turn.notes.add(Note.USAGE_DAMAGED)
        if prompt is not None and chat is not None:
            _note(turn, chat, prompt)
        turns.append(turn)
    for before in turns[:-1]:
        before.followed = True
    if turns:
        turns[-1].closed = run.exited
        if run.failed and run.exited:
            turns[-1].last = (*turns[-1].last[:2], Ending.ERROR)
    return turns


def turns_of_chat(chat: Chat) -> list[Turn]:
    """The turns of a run that only the chat history tells of: without times, and mostly with rounded counts."""
    turns: list[Turn] = []
    for number, prompt in enumerate(chat.prompts):
        if not prompt.answers:
            continue
        key = hashlib.sha256(f"{chat.key}\n{number}".encode("utf-8", "replace")).hexdigest()
        turn = Turn(key=key, session=chat.started, file=chat.file, prompted=f"prompt {number + 1} after {chat.started}", folder=str(chat.file.parent))
        turn.begin(chat.started_ms)
        turn.step(chat.started_ms, Step.WAIT, number, Ending.WORD)
        for answer in prompt.answers:
            cost = None if answer.cost is None else as_money(answer.cost)
            _add(turn, answer.model or "unknown", TokenUsage(uncached_input=answer.read, output=answer.written), chat.started_ms, cost)
            if answer.rounded:
                turn.notes.add(Note.ROUNDED)
        _note(turn, chat, prompt)
        turns.append(turn)
    for before in turns[:-1]:
        before.followed = True
    return turns


def _groups(run: Run, chat: Chat | None) -> list[tuple[Sequence[Send], Prompt | None]]:
    """The answers to each prompt."""
    if chat is not None:
        left = list(run.sends)
        groups: list[tuple[Sequence[Send], Prompt | None]] = []
        for prompt in chat.prompts:
            if prompt.answers:
                groups.append((left[: len(prompt.answers)], prompt))
                del left[: len(prompt.answers)]
        return groups
    found: list[list[Send]] = []
    for send in run.sends:
        # By itself aider goes on at once; a run that was given its prompt on the command line has no other.
        goes_on = bool(found) and (not run.interactive or (not send.prompted and send.began_ms - found[-1][-1].at_ms <= _AT_ONCE_MS))
        if goes_on:
            found[-1].append(send)
        else:
            found.append([send])
    return [(sends, None) for sends in found]


def _add(turn: Turn, model: str, usage: TokenUsage, moment: int | None, cost: Decimal | None) -> None:
    turn.providers[model] = provider_of_model(model)
    name = f"{turn.key} {len(turn.calls)}"
    turn.add_call(
        ModelCall(
            id=name, model=model, usage=usage, at_ms=moment, reported_usd=cost, unsplit=True, record=f"answer {len(turn.calls) + 1} from {turn.prompted} on"
        )
    )


def _note(turn: Turn, chat: Chat, prompt: Prompt) -> None:
    """What the chat tells of a prompt besides its answers."""
    turn.asked = type_from_prompt(prompt.text)
    turn.edited.update(prompt.edited)
    turn.read.update(chat.added)
    if prompt.over_budget or prompt.stopped:
        turn.last = (*turn.last[:2], Ending.BUDGET if prompt.over_budget else Ending.STOPPED)
    at = turn.ended_ms or 0
    for number, (kind, passed) in enumerate(prompt.checks):
        turn.checks[f"{number}"] = Check((at, number), {_GATES[kind]: passed})
    # After each edit aider checks, and says a word only of failures: an edit after the last of them that drew none has passed.
    for kind, pattern in _FLAGS.items():
        failures = sum(1 for name, _ in prompt.checks if name == kind)
        rounds = len(prompt.answers)
        if prompt.edited and (failures or pattern.search(chat.command)) and failures < rounds:
            turn.checks[f"last {kind}"] = Check((at, 1_000_000), {_GATES[kind]: True})
