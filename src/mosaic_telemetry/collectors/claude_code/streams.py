"""What `claude -p --output-format stream-json` prints, as drafts of tasks.

A stream says what a session file says, but for the prompt, most times, and the output of each answer, of which it has only the
beginning. Its last record, `result`, has the true totals by model. Law: no record can make `read_stream` raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.claude_code.content import read_usage
from mosaic_telemetry.collectors.claude_code.drafts import Answer, Draft
from mosaic_telemetry.collectors.claude_code.parsing import SessionFile
from mosaic_telemetry.collectors.untrusted import as_count, as_mapping, as_moment, as_text, is_count
from mosaic_telemetry.pricing import TokenUsage

__all__ = ["is_streamed", "read_stream"]

_TOLD = frozenset({"assistant", "result", "user"})
_FAILED = {"error_max_turns": "limit reached", "error_max_budget_usd": "limit reached"}  # as `SessionFile` knows them
_COUNTS = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
_DAY_MS = 86_400_000

Counts = tuple[int, int, int, int]
_NONE: Counts = (0, 0, 0, 0)


def is_streamed(record: Mapping[str, Any]) -> bool:
    """Whether a record is one of a stream; a session file writes `sessionId`."""
    return bool(as_text(record.get("session_id"))) and "sessionId" not in record


def read_stream(path: Path, records: Iterable[tuple[int, Mapping[str, Any]]], changed_ms: int) -> list[Draft]:
    """The drafts of the tasks in a stream: one for each `result`, and one for what comes after the last.

    Args:
        path: its file.
        records: its records, each with its line.
        changed_ms: when the file was changed last, in milliseconds since 1970: the time where no record has one.
    """
    told = [(line, record) for line, record in records if as_text(record.get("type")) in _TOLD or record.get("subtype") == "init"]
    return _Stream(path, told, changed_ms).drafts()


class _Stream:
    """One stream."""

    def __init__(self, path: Path, told: list[tuple[int, Mapping[str, Any]]], changed_ms: int) -> None:
        self._path = path
        self._told = told
        self._file = SessionFile(path)
        self._turn: Draft | None = None
        self._found: list[Draft] = []
        self._before: dict[str, Counts] = {}
        self._ends: dict[str, TokenUsage] = {}  # by subagent, what its last answer took
        moments = [moment for _, record in told if (moment := as_text(record.get("timestamp"))) and as_moment(moment)]
        self._moment = moments[0] if moments else _text(changed_ms)
        self._about: dict[str, Any] = {}

    def drafts(self) -> list[Draft]:
        for line, record in self._told:
            if as_moment(record.get("timestamp")):
                self._moment = as_text(record.get("timestamp"))
            kind = record.get("type")
            if kind == "system":
                self._about = {"version": record.get("claude_code_version"), "cwd": record.get("cwd")}
            elif kind == "result":
                self._result(record, line)
            else:
                self._say(record, line)
        self._unsure()
        return self._found

    def _feed(self, record: Mapping[str, Any], line: int, **more: Any) -> None:
        self._file.feed({**self._about, **record, "sessionId": record.get("session_id"), "timestamp": self._moment, **more}, line)

    def _say(self, record: Mapping[str, Any], line: int) -> None:
        message = as_mapping(record.get("message"))
        if self._turn is None and record.get("type") == "assistant":
            # The prompt is not there: the task is known by the first answer to it.
            prompt = {"type": "user", "session_id": record.get("session_id"), "message": {"content": "-"}}
            self._feed(prompt, line, uuid=f"stream {as_text(message.get('id')) or as_text(record.get('uuid')) or line}")
            self._turn = self._file.drafts[-1]
            self._turn.streamed = True
            self._found.append(self._turn)
        given = record.get("tool_use_result")
        self._feed(record, line, isSidechain=bool(record.get("parent_tool_use_id")), toolUseResult=given)
        if agent := as_text(as_mapping(given).get("agentId")):
            # The last answer of a subagent is printed as what its starter was given, and nowhere else.
            usage, damaged = read_usage(as_mapping(given).get("usage"))
            self._ends |= {} if damaged else {agent: usage}

    def _result(self, record: Mapping[str, Any], line: int) -> None:
        """The end of a task, with its true totals."""
        turn = self._turn
        if turn is None:  # no model answered
            return
        moment = as_moment(self._moment) or 0
        length = as_count(record.get("duration_ms"), _DAY_MS)
        turn.worked(moment, length)
        subtype = as_text(record.get("subtype"))
        if record.get("is_error") is True or subtype.startswith("error"):
            said = {"model": "<synthetic>", "content": _FAILED.get(subtype) or as_text(record.get("result")) or "error"}
            self._feed({"type": "assistant", "session_id": record.get("session_id")}, line, isApiErrorMessage=True, message=said)
        ended = {"type": "system", "subtype": "turn_duration", "durationMs": length, "uuid": record.get("uuid")}
        self._feed({**ended, "session_id": record.get("session_id")}, line)
        self._true_up(turn, record, line)
        self._turn, self._ends = None, {}

    def _true_up(self, turn: Draft, record: Mapping[str, Any], line: int) -> None:
        """Bring the answers to the totals of the result, model by model: what is missing was written by the last answer."""
        by_model = as_mapping(record.get("modelUsage"))
        if not by_model:
            self._true_up_own(turn, record, line)
            return
        for name, value in by_model.items():
            told, said = as_text(name).removesuffix("[1m]"), as_mapping(value)
            answers = [answer for answer in turn.answers.values() if answer.model.removesuffix("[1m]") == told]
            if not all(is_count(said.get(count), 10**12) for count in _COUNTS):
                self._settle(turn, answers, None, told, line)
                continue
            total, before = _counts(said), self._before.get(told, _NONE)
            added = _minus(total, before)  # it adds up over the tasks of one process
            self._before[told] = total
            self._settle(turn, answers, total if min(added) < 0 else added, told, line)

    def _true_up_own(self, turn: Draft, record: Mapping[str, Any], line: int) -> None:
        """As older versions tell it: the totals of the agent alone."""
        usage, damaged = read_usage(record.get("usage"))
        answers = [answer for answer in turn.answers.values() if not answer.subagent]
        model = answers[-1].model if answers else "unknown"
        self._settle(turn, answers, None if damaged else _of(usage), model, line)
        for answer in turn.answers.values():
            if answer.subagent:
                turn.answers[answer.id] = replace(answer, recorded=False)

    def _settle(self, turn: Draft, answers: list[Answer], total: Counts | None, model: str, line: int) -> None:
        left = None if total is None else _minus(total, _of(sum((answer.usage for answer in answers), TokenUsage())))
        if left is None or min(left) < 0:
            turn.answers |= {answer.id: replace(answer, damaged=True) for answer in answers}
            return
        if any((left[0], *left[2:])):  # input that no record tells of
            ends = _of(sum(self._ends.values(), TokenUsage()))
            rest = TokenUsage(uncached_input=left[0], cache_read=left[2], cache_write_5m=left[3], output=left[1])
            fits = (ends[0], *ends[2:]) == (left[0], *left[2:]) and ends[1] <= left[1]
            more = self._ends if fits else {"": rest}
            for agent, usage in more.items():
                turn.add_answer(self._answer(f"{turn.key} {model} {agent}".rstrip(), model, usage, line))
            left = _minus(left, ends) if fits else _NONE
        if left[1] and answers:
            last = turn.answers[answers[-1].id]
            turn.answers[last.id] = replace(last, usage=replace(last.usage, output=last.usage.output + left[1]))

    def _answer(self, name: str, model: str, usage: TokenUsage, line: int) -> Answer:
        """One that has no record of its own; the agent's all have."""
        moment = as_moment(self._moment)
        told = as_text(self._about.get("version"))
        return Answer(
            id=name, model=model, usage=usage, first_ms=moment, last_ms=moment, subagent=True, recorded=True, damaged=False, fast=False, version=told,
            file=self._path, line=line,
        )  # fmt: skip

    def _unsure(self) -> None:
        """What has no result has no true output."""
        if self._turn is not None:
            self._turn.answers = {name: replace(answer, recorded=False) for name, answer in self._turn.answers.items()}


def _counts(said: Mapping[str, Any]) -> Counts:
    read, written, cached, kept = (as_count(said.get(name), 10**12) for name in _COUNTS)
    return read, written, cached, kept


def _of(usage: TokenUsage) -> Counts:
    return usage.uncached_input, usage.output, usage.cache_read, usage.cache_write


def _minus(one: Counts, other: Counts) -> Counts:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2], one[3] - other[3]


def _text(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds")
