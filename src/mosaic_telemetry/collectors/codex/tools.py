"""Codex's tool calls: the commands in them, how these ended, and the files that patches name."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.collectors.untrusted import as_count, as_list, as_mapping, as_text

__all__ = ["Output", "ToolCall", "command_text", "duration_ms", "note_patch", "read_call", "read_output"]

_SHELLS = frozenset({"container.exec", "exec", "exec_command", "local_shell", "shell", "shell_command", "unified_exec"})
_EXIT = re.compile(r"^(?:Process exited with code|Exit code:)\s*(-?\d{1,10})\s*$", re.MULTILINE)
_WALL = re.compile(r"^Wall time: (\d{1,7}(?:\.\d+)?) seconds", re.MULTILINE)
_RUNNING = re.compile(r"^Process running with session ID (\d+)", re.MULTILINE)
_HEAD = 2_000  # characters: status and time stand before the output
_PATCHED = re.compile(r"^\*\*\* (Add|Update|Delete) File: (.+)$", re.MULTILINE)
_MOVED = re.compile(r"^\*\*\* Move to: (.+)$", re.MULTILINE)
_REFUSED = ("rejected by user", "aborted by user", "exec command rejected", "patch rejected by user", "command was rejected")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call whose result has not come yet: the command that it runs, or the command's session that it goes on with."""

    command: str = ""
    continues: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a tool gave back.

    Attributes:
        exit_code: exit status, None where it is not told.
        wall_ms: how long it worked, None where it is not told.
        running: the id of the session in which the command still runs; empty for one that has ended.
        refused: whether the person did not let it run.
    """

    text: str
    exit_code: int | None = None
    wall_ms: int | None = None
    running: str = ""
    refused: bool = False


def read_call(payload: Mapping[str, Any]) -> ToolCall:
    """What a `function_call`, `custom_tool_call` or `local_shell_call` runs."""
    if payload.get("type") == "local_shell_call":
        return ToolCall(command_text(as_mapping(payload.get("action")).get("command")))
    name = as_text(payload.get("name")).rpartition("__")[2]
    arguments = _object(payload.get("arguments"))
    if name == "write_stdin":
        session = arguments.get("session_id")
        return ToolCall(continues=str(session) if isinstance(session, (int, str)) else "")
    return ToolCall(command_text(arguments.get("command") or arguments.get("cmd"))) if name in _SHELLS else ToolCall()


def command_text(value: Any) -> str:
    """A command as one line of shell: it is written as text or as a list of words."""
    if isinstance(value, str):
        return as_text(value)
    words = [as_text(word) for word in as_list(value)]
    return shlex.join(words) if words else ""


def read_output(value: Any) -> Output:
    """What stands in the output of a tool: text, text that is JSON, or a list of parts."""
    if isinstance(value, Mapping):
        value = value.get("content") or value.get("output")
    if isinstance(value, list):
        value = "\n".join(as_text(as_mapping(part).get("text")) for part in value)
    text = as_text(value)
    inner = _object(text) if text.startswith("{") else {}
    if "output" in inner or "metadata" in inner:
        metadata = as_mapping(inner.get("metadata"))
        code, seconds = metadata.get("exit_code"), metadata.get("duration_seconds")
        return Output(
            text=as_text(inner.get("output")),
            exit_code=code if isinstance(code, int) and not isinstance(code, bool) else None,
            wall_ms=_seconds_ms(seconds),
        )
    head = text[:_HEAD].partition("\nOutput:")[0]
    exit_code, wall, running = _EXIT.search(head), _WALL.search(head), _RUNNING.search(head)
    return Output(
        text=text,
        exit_code=int(exit_code.group(1)) if exit_code else None,
        wall_ms=round(float(wall.group(1)) * 1000) if wall else None,
        running=running.group(1) if running else "",
        refused=exit_code is None and any(sign in head[:300].lower() for sign in _REFUSED),
    )


def note_patch(turn: Turn, text: str) -> None:
    """Note the files that a patch in `text` adds, changes or removes."""
    if "*** " not in text:
        return
    for kind, path in _PATCHED.findall(text):
        turn.edited.add(path.strip())
        if kind == "Add":
            turn.created.add(path.strip())
    turn.edited.update(path.strip() for path in _MOVED.findall(text))


def duration_ms(value: Any) -> int | None:
    """Milliseconds in `{"secs": …, "nanos": …}`; None where that is not what it is."""
    parts = as_mapping(value)
    return as_count(parts.get("secs"), 86_400) * 1000 + as_count(parts.get("nanos"), 10**9) // 1_000_000 if "secs" in parts else None


def _seconds_ms(value: Any) -> int | None:
    return round(value * 1000) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 86_400 else None


def _object(value: Any) -> Mapping[str, Any]:
    """The object that a text of JSON is, or that `value` already is; else an empty one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return as_mapping(value)
