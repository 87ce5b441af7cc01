"""One session of Cline CLI 3 to turns, message by message. Law: no message can make it raise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.cline.documents import read_beside, read_list
from mosaic_telemetry.collectors.cline.keys import call_id, give_keys
from mosaic_telemetry.collectors.cline.usage import Counts, provider_of, read_counts, usages
from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.reading import Counting
from mosaic_telemetry.collectors.turns import LONGEST_STEP_MS, Step, Turn
from mosaic_telemetry.collectors.untrusted import as_list, as_mapping, as_milliseconds, as_moment, as_money, as_text
from mosaic_telemetry.collectors.values import ModelCall, Note
from mosaic_telemetry.pricing import TokenUsage

__all__ = ["read_session"]

_NAMES = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
_INPUT = re.compile(r'^\s*<user_input(?: mode="(\w+)")?>(.*?)(?:</user_input>|$)', re.DOTALL)
_EXIT = re.compile(r"exited with code (-?\d{1,5})")
_ASKING = frozenset({"ask_followup_question", "ask_question"})
_READING = frozenset({"read_file", "read_files"})
_EDITING = frozenset({"apply_patch", "editor", "replace_in_file", "write_to_file"})
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update) File: (.+)$", re.MULTILINE)
_INSTANT_MS = 5_000
_ENDED = {"cancelled": Ending.STOPPED, "aborted": Ending.STOPPED, "failed": Ending.ERROR, "error": Ending.ERROR}


@dataclass(slots=True)
class _Answer:
    turn: Turn
    at_ms: int | None
    counts: Counts
    model: str
    cost: Any
    line: int


def read_session(path: Path, counting: Counting) -> list[Turn]:
    """The turns in a session's `.messages.json`, and what stands beside it."""
    name = path.name.removesuffix(".messages.json")
    info = read_beside(path.with_name(f"{name}.json"), counting)
    above = as_text(info.get("parent_session_id")) or (path.parent.name if name != path.parent.name and _is_agents(path) else "")
    log = _SessionLog(as_text(info.get("session_id")) or name, above, as_text(info.get("provider")), as_text(info.get("model")))
    for number, message in read_list(path, counting, "messages"):
        log.feed(message, number)
    return log.finish(info, alone=not any(other != path for other in path.parent.glob("*.messages.json")))


def _is_agents(path: Path) -> bool:
    """Whether the file stands in another session's folder: it is that of an agent of its."""
    return path.with_name(f"{path.parent.name}.messages.json").exists()


class _SessionLog:
    def __init__(self, session: str, above: str, provider: str, model: str) -> None:
        self._session = session
        self._above = above if above != session else ""
        self._served = (provider, model)
        self._turns: list[Turn] = []
        self._answers: list[_Answer] = []
        self._uses: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._most = LONGEST_STEP_MS

    def feed(self, message: Mapping[str, Any], line: int) -> None:
        """Take in one message."""
        moment = as_milliseconds(message.get("ts"))
        content = message.get("content")
        blocks = [as_mapping(block) for block in as_list(content)] or ([{"type": "text", "text": content}] if isinstance(content, str) else [])
        results = [block for block in blocks if block.get("type") == "tool_result"]
        if message.get("role") == "assistant":
            self._answered(message, blocks, moment, line)
        elif message.get("role") == "user" and results:
            self._results(results, moment, line)
        elif message.get("role") == "user":
            self._asked(blocks, moment, line)

    def finish(self, info: Mapping[str, Any], *, alone: bool) -> list[Turn]:
        """The turns, when all messages were taken in.

        Args:
            info: what is written of the session.
            alone: whether there are no files of the session's agents: then what they used is known from `info` only.
        """
        for turn in self._turns:
            turn.version = as_text(as_mapping(as_mapping(info.get("metadata")).get("sessionHistoryOrigin")).get("version"))
            turn.folder = as_text(info.get("cwd")) or as_text(info.get("workspace_root"))
            answers = [answer for answer in self._answers if answer.turn is turn]
            for answer, usage in zip(answers, usages([answer.counts for answer in answers]), strict=True):
                _count(answer, usage)
        if self._turns:
            latest = self._turns[-1]
            if alone:
                self._agents(latest, as_mapping(info.get("metadata")))
            status = as_text(info.get("status"))
            if (ending := _ENDED.get(status)) is not None and latest.last[2] is not Ending.WORD:
                latest.last = (*latest.last[:2], ending)
            latest.closed |= as_moment(info.get("ended_at")) is not None
        give_keys(self._turns)
        return self._turns

    # --- messages ---------------------------------------------------------------------------------------------------

    def _asked(self, blocks: list[Mapping[str, Any]], moment: int | None, line: int) -> None:
        if self._above and self._turns:
            self._turns[-1].step(moment, Step.WAIT, line)
            return
        text = "\n".join(as_text(block.get("text")) for block in blocks if block.get("type") == "text")
        found = _INPUT.match(text)
        if self._turns:
            self._turns[-1].followed = True
        turn = Turn(key="", session=self._session, parent_session=self._above, asked=type_from_prompt(found.group(2) if found else text))
        turn.planned = found is not None and found.group(1) == "plan"
        turn.prompted = f"message {line}"
        turn.begin(moment)
        self._turns.append(turn)
        self._most = LONGEST_STEP_MS

    def _answered(self, message: Mapping[str, Any], blocks: list[Mapping[str, Any]], moment: int | None, line: int) -> None:
        if not self._turns:
            self._turns.append(Turn(key="", session=self._session, parent_session=self._above))
        turn = self._turns[-1]
        uses = [block for block in blocks if block.get("type") == "tool_use"]
        for use in uses:
            identity = as_text(use.get("id"))
            turn.tool_calls.add(identity)
            self._uses[identity] = (as_text(use.get("name")), as_mapping(use.get("input")))
        model = as_mapping(message.get("modelInfo"))
        metrics = message.get("metrics")
        if not isinstance(metrics, dict):
            turn.notes.add(Note.USAGE_DAMAGED)
        provider = as_text(model.get("provider")) or self._served[0]
        name = (as_text(model.get("id")) or self._served[1]).strip()
        info = as_mapping(metrics)
        self._answers.append(_Answer(turn, moment, read_counts(info, _NAMES, provider), name, info.get("cost") or info.get("totalCost"), line))
        turn.step(moment, Step.WORK, line, None if uses else Ending.WORD, most=LONGEST_STEP_MS)
        turn.closed = not uses
        self._most = max((self._longest_ms(as_text(use.get("name"))) for use in uses), default=LONGEST_STEP_MS)

    @staticmethod
    def _longest_ms(name: str) -> int:
        return 0 if name in _ASKING else _INSTANT_MS if name in _READING | _EDITING else LONGEST_STEP_MS

    def _results(self, results: list[Mapping[str, Any]], moment: int | None, line: int) -> None:
        if not self._turns:
            return
        turn = self._turns[-1]
        for block in results:
            identity = as_text(block.get("tool_use_id"))
            name, given = self._uses.pop(identity, (as_text(block.get("name")), {}))
            parts = [as_mapping(part) for part in as_list(block.get("content"))]
            if name in {"execute_command", "run_commands"}:
                self._ran(turn, identity, given, parts, (moment or 0, line))
            elif block.get("is_error") is not True and not any(part.get("success") is False for part in parts):
                self._touched(turn, name, given)
        turn.step(moment, Step.WORK, line, most=self._most)
        self._most = LONGEST_STEP_MS

    @staticmethod
    def _ran(turn: Turn, identity: str, given: Mapping[str, Any], parts: list[Mapping[str, Any]], at: tuple[int, int]) -> None:
        commands = [as_text(one) for one in as_list(given.get("commands"))] or [as_text(given.get("command"))]
        for number, part in enumerate(parts):
            command = as_text(part.get("query")) or (commands[number] if number < len(commands) else "")
            if not command:
                continue
            output = as_text(part.get("result")) or as_text(part.get("text"))
            code = _EXIT.search(as_text(part.get("error"))) or _EXIT.match(output.removeprefix("[Command "))
            done = part.get("success")
            succeeded = int(code.group(1)) == 0 if code else done if isinstance(done, bool) and done else None
            turn.ran(f"{identity} {number}", command, succeeded=succeeded, output=output, at=(at[0], at[1] * 1000 + number))

    @staticmethod
    def _touched(turn: Turn, name: str, given: Mapping[str, Any]) -> None:
        listed = [*as_list(given.get("files")), *as_list(given.get("file_paths")), *as_list(given.get("paths"))]
        named = [given.get("path"), given.get("file_path"), *(as_mapping(one).get("path") or one for one in listed)]
        patched = _PATCHED.findall(as_text(given.get("input")) + as_text(given.get("patch")))
        paths = {path for path in (*map(as_text, named), *patched) if path}
        if name in _EDITING:
            turn.edited |= paths
            turn.created |= paths if given.get("command") == "create" or name == "write_to_file" else set()
        elif name in _READING:
            turn.read |= paths

    # --- what it used -----------------------------------------------------------------------------------------------

    def _agents(self, turn: Turn, metadata: Mapping[str, Any]) -> None:
        """What the session's agents used, where only the sums are written: that of all, less that of the session itself."""
        provider, model = self._served
        sums = [read_counts(as_mapping(metadata.get(name)), _NAMES, provider) for name in ("aggregateUsage", "usage")]
        if any(one.nothing or one.damaged for one in sums):
            return
        (everything,), (own,) = (usages([one]) for one in sums)
        rest = {name: getattr(everything, name) - getattr(own, name) for name in ("uncached_input", "cache_read", "cache_write_5m", "output")}
        if min(rest.values()) < 0 or not any(rest.values()):
            return
        left = TokenUsage(**rest)
        turn.providers.setdefault(model, provider_of(provider, model))
        turn.add_call(
            ModelCall(
                id=f"agents {call_id(turn.started_ms, model, left, 0)}",
                model=model,
                usage=left,
                at_ms=turn.ended_ms,
                subagent=True,
                reported_usd=as_money(metadata.get("aggregatedAgentsCost")),
                unsplit=True,
                record="metadata.aggregateUsage of the session",
            )
        )


def _count(answer: _Answer, usage: TokenUsage) -> None:
    turn = answer.turn
    if answer.counts.damaged:
        turn.notes.add(Note.USAGE_DAMAGED)
    turn.providers[answer.model] = provider_of(answer.counts.provider, answer.model)
    identity = call_id(answer.at_ms, answer.model, usage, len(turn.calls))
    reported = as_money(answer.cost)
    turn.add_call(
        ModelCall(
            id=identity,
            model=answer.model,
            usage=usage,
            at_ms=answer.at_ms,
            partial=answer.counts.nothing,
            reported_usd=reported,
            record=f"message {answer.line}",
        )
    )
