"""How long a tool can have worked. What goes beyond was spent waiting for a person's permission, which the log does not show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mosaic_telemetry.collectors.untrusted import as_count, as_mapping

__all__ = ["LONGEST_MODEL_MS", "longest_work_ms", "was_denied"]

LONGEST_MODEL_MS = 600_000
"""A request to the model ends after ten minutes; a longer gap is a machine asleep."""

_DAY = 86_400_000
_INSTANT_MS = 5_000
_SHELL_MS = 120_000  # Bash's own limit unless a call sets another, up to:
_LONGEST_SHELL_MS = 600_000
_SHELL_GRACE_MS = 5_000
_OTHER_MS = 600_000
_AGENT_MS = 3_600_000

_ASKING = frozenset({"AskUserQuestion", "EnterPlanMode", "ExitPlanMode"})
_INSTANT = frozenset(
    {"BashOutput", "Edit", "Glob", "Grep", "KillShell", "LS", "MultiEdit", "NotebookEdit", "NotebookRead", "Read", "Skill", "TaskCreate"}
    | {"TaskGet", "TaskList", "TaskUpdate", "TodoRead", "TodoWrite", "ToolSearch", "Write"}
)
_DENIALS = (
    "The user doesn't want to",
    "User rejected tool use",
    "[Request interrupted by user",
    "Permission to use",
    "The agent proposed a plan that was rejected",
)


def longest_work_ms(name: str, arguments: Mapping[str, Any], result: Any) -> int:
    """The longest time, in milliseconds, that a tool call of this kind can have worked.

    Files are read and changed in moments, a shell command ends at its timeout, and questions to the person take no work at all.
    Where the result says how long it took, that counts.
    """
    said = as_mapping(result)
    if name in _ASKING:
        return 0
    if name in {"Agent", "Task"}:
        return as_count(said.get("totalDurationMs"), _DAY) or _AGENT_MS
    if measured := as_count(said.get("durationMs"), _DAY):
        return measured
    if name in _INSTANT:
        return _INSTANT_MS
    if name == "Bash":
        return min(as_count(arguments.get("timeout"), _DAY) or _SHELL_MS, _LONGEST_SHELL_MS) + _SHELL_GRACE_MS
    return _OTHER_MS


def was_denied(text: str) -> bool:
    """Whether a tool's result says that the person did not let it run."""
    return text.removeprefix("Error: ").startswith(_DENIALS)
