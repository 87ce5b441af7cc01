"""One task folder of Cline (up to CLI 2), Roo Code or Kilo Code to turns, message by message. Law: no message can make it raise."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.cline.commands import Command, settle
from mosaic_telemetry.collectors.cline.documents import read_beside, read_list
from mosaic_telemetry.collectors.cline.keys import call_id, give_keys
from mosaic_telemetry.collectors.cline.usage import Counts, provider_of, read_counts, usages
from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.reading import Counting
from mosaic_telemetry.collectors.turns import LONGEST_STEP_MS, Step, Turn
from mosaic_telemetry.collectors.untrusted import as_list, as_mapping, as_milliseconds, as_money, as_text
from mosaic_telemetry.collectors.values import ModelCall, Note
from mosaic_telemetry.pricing import TokenUsage

__all__ = ["read_task"]

_NAMES = ("tokensIn", "tokensOut", "cacheReads", "cacheWrites")
_MODEL = re.compile(r"<model>([^<]{1,200})</model>")
_FOLDER = re.compile(r"^# Current W(?:orking|orkspace) Directory \((.+?)\) Files", re.MULTILINE)
_INSTANT_MS = 5_000
_SHELL_MS = 125_000
# What comes after these questions came when the person answered; after the others, a tool worked too.
_WAITING = frozenset(
    {"api_req_failed", "auto_approval_max_req_reached", "completion_result", "condense", "followup", "mistake_limit_reached", "new_task"}
    | {"payment_required_prompt", "plan_mode_respond", "report_bug", "resume_completed_task", "resume_task"}
)
_ASKED_MS = {"command": _SHELL_MS, "tool": _INSTANT_MS}
_EDITING = frozenset({"appliedDiff", "editedExistingFile", "insertContent", "newFileCreated", "searchAndReplace"})
_SPOKEN = frozenset({"browser_action", "command", "completion_result", "followup", "plan_mode_respond", "reasoning", "text", "tool", "use_mcp_server"})
_FEEDBACK = frozenset({"user_feedback", "user_feedback_diff"})
_CANCELLED = {"user_cancelled": Ending.STOPPED, "retries_exhausted": Ending.ERROR, "streaming_failed": Ending.ERROR}
_BUDGET_SIGNS = ("credit", "context length", "context window", "insufficient", "prompt is too long", "quota", "usage limit")


@dataclass(slots=True)
class _Request:
    """A request to a model; what it used can only be told once all of the task are known."""

    turn: Turn
    at_ms: int | None
    counts: Counts
    model: str
    served_by: str
    cost: Any
    spoke: bool = False
    missing: bool = False
    subagent: bool = False
    line: int = 0


def read_task(path: Path, counting: Counting) -> list[Turn]:
    """The turns in a task's `ui_messages.json`, and what stands beside it."""
    messages = read_list(path, counting)
    models = as_list(read_beside(path.with_name("task_metadata.json"), counting).get("model_usage"))
    above = as_text(read_beside(path.with_name("history_item.json"), counting).get("parentTaskId"))
    log = _TaskLog(path.parent.name, models, above)
    for number, message in messages:
        log.feed(message, number)
    return log.finish()


class _TaskLog:
    def __init__(self, session: str, models: Sequence[Any], above: str) -> None:
        self._session = session
        self._above = above if above != session else ""
        used = [
            (as_milliseconds(entry.get("ts")) or 0, as_text(entry.get("model_id")), as_text(entry.get("model_provider_id")))
            for entry in map(as_mapping, models)
        ]
        self._models = sorted(used)
        self._turns: list[Turn] = []
        self._requests: list[_Request] = []
        self._commands: list[Command] = []
        self._cancelled: Ending | None = None
        self._model = ("", "")
        self._most = LONGEST_STEP_MS
        self._done = True  # whether the agent has said its last word on the latest prompt

    def feed(self, message: Mapping[str, Any], line: int) -> None:
        """Take in one message."""
        if message.get("partial") is True:
            return
        asks = message.get("type") == "ask"
        kind = as_text(message.get("ask" if asks else "say"))
        moment = as_milliseconds(message.get("ts"))
        text = as_text(message.get("text"))
        if asks and kind in {"resume_completed_task", "resume_task"}:
            self._pause(moment)
            return
        if not asks and (kind == "task" or (kind in _FEEDBACK and self._done and not self._above)):
            self._begin(message, text, moment, line)
        elif not self._turns:
            return
        elif not asks and kind in _FEEDBACK:
            self._turns[-1].step(moment, Step.WAIT, line)
        elif not asks and kind in {"api_req_started", "subagent_usage"}:
            self._request(message, kind, text, moment, line)
        else:
            self._did(kind, text, moment, line, asks=asks)
        self._most = (0 if kind in _WAITING else _ASKED_MS.get(kind, LONGEST_STEP_MS)) if asks else 0 if kind == "completion_result" else LONGEST_STEP_MS

    def finish(self) -> list[Turn]:
        """The turns, when all messages were taken in."""
        self._close()
        for turn in self._turns:
            requests = [request for request in self._requests if request.turn is turn]
            for request, usage in zip(requests, usages([request.counts for request in requests]), strict=True):
                _count(request, usage)
        give_keys(self._turns)
        return self._turns

    # --- the person -------------------------------------------------------------------------------------------------

    def _begin(self, message: Mapping[str, Any], text: str, moment: int | None, line: int) -> None:
        self._close()
        if self._turns:
            self._turns[-1].followed = True
        turn = Turn(key="", session=self._session, parent_session=self._above, asked=type_from_prompt(text))
        turn.planned = as_mapping(message.get("modelInfo")).get("mode") == "plan"
        turn.prompted = f"message {line}"
        turn.begin(moment)
        self._turns.append(turn)
        self._done = False

    def _pause(self, moment: int | None) -> None:
        """The task was opened again: the time until then was nobody's work."""
        if self._turns and moment is not None:
            turn = self._turns[-1]
            turn.clock = max(turn.clock or moment, moment)
            self._most = 0

    def _close(self) -> None:
        """Nothing more comes for the running turn."""
        if not self._turns:
            return
        turn = self._turns[-1]
        settle(turn, self._commands, "")
        self._commands = []
        if self._cancelled is not None and not self._done:
            turn.last = (*turn.last[:2], self._cancelled)
            turn.closed = True
        self._cancelled = None

    # --- the agent --------------------------------------------------------------------------------------------------

    def _request(self, message: Mapping[str, Any], kind: str, text: str, moment: int | None, line: int) -> None:
        turn = self._turns[-1]
        try:
            info = as_mapping(json.loads(text))
        except (ValueError, RecursionError):
            info = {}
            turn.notes.add(Note.USAGE_DAMAGED)
        request = as_text(info.get("request"))
        if kind == "api_req_started":
            settle(turn, self._commands, request)
            self._commands = []
            self._cancelled = _CANCELLED.get(as_text(info.get("cancelReason")))
            self._done = False
        if not turn.folder and (found := _FOLDER.search(request)):
            turn.folder = found.group(1)
        provider, model = self._served(message, info, request, moment)
        self._requests.append(
            _Request(
                turn=turn,
                at_ms=moment,
                counts=read_counts(info, _NAMES, provider),
                model=model,
                served_by=as_text(info.get("inferenceProvider")),
                cost=info.get("cost"),
                missing=info.get("usageMissing") is True,
                subagent=kind == "subagent_usage",
                line=line,
            )
        )
        turn.step(moment, Step.WORK, line, most=self._most)

    def _served(self, message: Mapping[str, Any], info: Mapping[str, Any], request: str, moment: int | None) -> tuple[str, str]:
        """Provider and model of a request: by the message, by the list of models beside it, or by what the model was told."""
        own = as_mapping(message.get("modelInfo"))
        if model := as_text(own.get("modelId")) or as_text(info.get("modelId")):
            return as_text(own.get("providerId")) or as_text(info.get("providerId")), model.strip()
        if self._models:
            _, model, provider = next((entry for entry in reversed(self._models) if entry[0] <= (moment or 0)), self._models[0])
            return provider, model.strip()
        if told := _MODEL.findall(request):
            self._model = ("", told[-1].strip())
        return self._model

    def _did(self, kind: str, text: str, moment: int | None, line: int, *, asks: bool) -> None:
        turn = self._turns[-1]
        if kind in _SPOKEN and self._requests:
            self._requests[-1].spoke = True
        self._note(turn, kind, text, moment, line)
        if asks and kind == "completion_result" and self._done:
            return  # it asks what to do next
        ending = _ending(kind, text, asks=asks)
        turn.step(moment, Step.WORK, line, ending, most=self._most)
        if ending is not None:
            turn.closed = True
            self._done = ending is Ending.WORD
            self._cancelled = None

    def _note(self, turn: Turn, kind: str, text: str, moment: int | None, line: int) -> None:
        if kind == "command":
            turn.tool_calls.add(f"{moment} {line}")
            self._commands.append(Command(text, (moment or 0, line)))
        elif kind == "command_output" and self._commands:
            self._commands[-1].output.append(text)
        elif kind == "tool":
            self._tool(turn, text, moment, line)
        elif kind in {"browser_action_launch", "use_mcp_server"}:
            turn.tool_calls.add(f"{moment} {line}")
        elif kind == "condense_context" or (kind == "compaction" and '"completed"' in text):
            turn.compactions.add(f"{moment}")

    @staticmethod
    def _tool(turn: Turn, text: str, moment: int | None, line: int) -> None:
        try:
            tool = as_mapping(json.loads(text))
        except (ValueError, RecursionError):
            return
        name, path = as_text(tool.get("tool")), as_text(tool.get("path"))
        turn.tool_calls.add(f"{moment} {line}")
        if name == "summarizeTask":
            turn.compactions.add(f"{moment}")
        paths = {path} if path else {as_text(as_mapping(one).get("path")) for one in as_list(tool.get("batchDiffs")) or as_list(tool.get("batchFiles"))} - {""}
        if name in _EDITING:
            turn.edited |= paths
            turn.created |= paths if name == "newFileCreated" else set()
        elif name == "readFile":
            turn.read |= paths


def _count(request: _Request, usage: TokenUsage) -> None:
    turn, counts = request.turn, request.counts
    if counts.damaged:
        turn.notes.add(Note.USAGE_DAMAGED)
    if counts.nothing and not (request.spoke or request.missing):
        return  # nothing came back
    turn.providers[request.model] = provider_of(counts.provider, request.model, counts.protocol, request.served_by)
    turn.add_call(
        ModelCall(
            id=call_id(request.at_ms, request.model, usage, len(turn.calls)),
            model=request.model,
            usage=usage,
            at_ms=request.at_ms,
            subagent=request.subagent,
            partial=counts.nothing or request.missing,
            reported_usd=as_money(request.cost),
            record=f"message {request.line}",
        )
    )


def _ending(kind: str, text: str, *, asks: bool) -> Ending | None:
    """What a message means if nothing comes after it; None where more must follow."""
    if kind == "completion_result" or (asks and kind == "plan_mode_respond"):
        return Ending.WORD
    if asks and kind == "api_req_failed":
        return Ending.BUDGET if any(sign in text.lower() for sign in _BUDGET_SIGNS) else Ending.ERROR
    return None
