"""What is counted of a tool call of opencode: its time, the files it touched, and what a command proved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mosaic_telemetry.collectors.gates import observe
from mosaic_telemetry.collectors.languages import names_in
from mosaic_telemetry.collectors.untrusted import as_count, as_list, as_mapping, as_milliseconds, as_text
from mosaic_telemetry.schema import QualityGate

__all__ = ["ToolRun", "read_tool"]

_DAY_MS = 86_400_000
_INSTANT_MS = 5_000
_SHELL_MS = 120_000  # opencode's own limit unless a call sets another
_SHELL_GRACE_MS = 5_000
_AGENT_MS = 3_600_000
_OTHER_MS = 600_000
_ASKING = frozenset({"plan_enter", "plan_exit", "question", "suggest"})
_INSTANT = frozenset({"apply_patch", "edit", "glob", "grep", "list", "lsp", "multiedit", "patch", "read", "skill", "todoread", "todowrite", "write"})
_EDITING = frozenset({"edit", "multiedit", "write"})
_PATCHED = re.compile(r"^\*\*\* (Add|Update|Move to)(?: File)?: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """One tool call.

    Attributes:
        start_ms, end_ms: when it ran, the wait for permission included; None where that is not written.
        most_ms: milliseconds that it can have worked at most.
        verdicts: gates that a command decided.
        child: the session of the subagent that it started.
    """

    call: str
    start_ms: int | None
    end_ms: int | None
    most_ms: int
    edited: frozenset[str] = frozenset()
    created: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    verdicts: Mapping[QualityGate, bool] = field(default_factory=dict)
    child: str = ""


def read_tool(data: Mapping[str, Any]) -> ToolRun:
    """The tool call in a part of a message."""
    name = as_text(data.get("tool"))
    state = as_mapping(data.get("state"))
    time = as_mapping(state.get("time"))
    given, told = as_mapping(state.get("input")), as_mapping(state.get("metadata"))
    times: dict[str, Any] = {"start_ms": as_milliseconds(time.get("start")), "end_ms": as_milliseconds(time.get("end")), "most_ms": _longest_ms(name, given)}
    call = as_text(data.get("callID")) or as_text(data.get("id"))
    if name == "bash":
        return _shell(call, given, told, state, times)
    if name == "task":
        return ToolRun(call=call, child=as_text(told.get("sessionId")) or as_text(told.get("sessionID")), **times)
    if state.get("status") != "completed":
        return ToolRun(call=call, **times)
    path = as_text(given.get("filePath"))
    paths = frozenset({path} if path else ())
    if name in _EDITING:
        return ToolRun(call=call, edited=paths, created=paths if told.get("exists") is False else frozenset(), **times)
    if name in {"apply_patch", "patch"}:
        found = _PATCHED.findall(as_text(given.get("patchText")))
        added = frozenset(path.strip() for how, path in found if how == "Add")
        return ToolRun(call=call, edited=frozenset(path.strip() for _, path in found), created=added, **times)
    return ToolRun(call=call, read=paths if name == "read" else frozenset(), **times)


def _shell(call: str, given: Mapping[str, Any], told: Mapping[str, Any], state: Mapping[str, Any], times: dict[str, Any]) -> ToolRun:
    command = as_text(given.get("command"))
    status = as_text(state.get("status"))
    if status not in {"completed", "error"} or (status == "error" and not told):
        return ToolRun(call=call, **times)  # still running, or never run
    output = as_text(told.get("output")) or as_text(state.get("output"))
    code = told.get("exit")
    succeeded = code == 0 if isinstance(code, int) and not isinstance(code, bool) else None
    return ToolRun(
        call=call,
        named=frozenset(names_in(command)),
        verdicts=observe(command, succeeded=succeeded, output=output),
        **times,
    )


def _longest_ms(name: str, given: Mapping[str, Any]) -> int:
    if name in _ASKING:
        return 0
    if name == "bash":
        return (as_count(given.get("timeout"), _DAY_MS) or _SHELL_MS) + _SHELL_GRACE_MS
    if name == "batch":
        return _OTHER_MS * min(10, max(1, len(as_list(given.get("tool_calls")))))
    return _AGENT_MS if name == "task" else _INSTANT_MS if name in _INSTANT else _OTHER_MS
