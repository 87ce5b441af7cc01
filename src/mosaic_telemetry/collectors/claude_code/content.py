"""What stands in single records: an answer with its usage, a tool call with its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.claude_code.drafts import Answer, Draft
from mosaic_telemetry.collectors.gates import observe
from mosaic_telemetry.collectors.untrusted import as_count, as_mapping, as_name, as_text, is_count
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import QualityGate

__all__ = ["ToolUse", "note_files", "read_answer", "read_usage", "shell_verdicts"]

_COUNTED = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_EDITING = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write"})
_READING = frozenset({"NotebookRead", "Read"})


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call whose result has not come yet."""

    name: str
    arguments: Mapping[str, Any]


def read_answer(record: Mapping[str, Any], moment: int | None, at: tuple[Path, int], *, subagent: bool, recorded: bool) -> Answer:
    """The answer that a record, at this place in a file, tells of."""
    message = as_mapping(record.get("message"))
    usage, damaged = read_usage(message.get("usage"))
    return Answer(
        id=as_text(message.get("id")) or as_text(record.get("requestId")) or as_text(record.get("uuid")) or f"@{moment}",
        model=as_name(message.get("model")).strip(),
        usage=usage,
        first_ms=moment,
        last_ms=moment,
        subagent=subagent,
        recorded=recorded,
        damaged=damaged,
        fast=as_mapping(message.get("usage")).get("speed") == "fast",
        version=as_name(record.get("version")),
        file=at[0],
        line=at[1],
    )


def read_usage(value: Any) -> tuple[TokenUsage, bool]:
    """The usage object of the API, whose `input_tokens` exclude the cache; and whether a count in it is no number."""
    usage = as_mapping(value)
    split = as_mapping(usage.get("cache_creation"))
    hour = as_count(split.get("ephemeral_1h_input_tokens"))
    short = as_count(split.get("ephemeral_5m_input_tokens"))
    # Old versions write the sum alone: it was all for five minutes then. Where the two disagree, the sum is what was billed.
    written = as_count(usage.get("cache_creation_input_tokens")) or hour + short
    hour = min(hour, written)
    damaged = "output_tokens" not in usage or not all(is_count(usage.get(name)) for name in _COUNTED)
    searches = as_count(as_mapping(usage.get("server_tool_use")).get("web_search_requests"), 10_000)
    return TokenUsage(
        uncached_input=as_count(usage.get("input_tokens")),
        cache_read=as_count(usage.get("cache_read_input_tokens")),
        cache_write_5m=written - hour,
        cache_write_1h=hour,
        output=as_count(usage.get("output_tokens")),
        web_searches=searches,
    ), damaged


def shell_verdicts(command: str, arguments: Mapping[str, Any], result: Mapping[str, Any], text: str, *, failed: bool) -> Mapping[QualityGate, bool]:
    """What a shell command proved about quality gates; nothing for one that still runs in the background."""
    if arguments.get("run_in_background") is True or result.get("backgroundTaskId"):
        return {}
    output = "\n".join((as_text(result.get("stdout")), as_text(result.get("stderr")))) if result else text
    succeeded: bool | None = not failed and not result.get("returnCodeInterpretation")
    if result.get("interrupted") is True or "Command timed out after" in text[:2000]:
        succeeded = None
    return observe(command, succeeded=succeeded, output=output)


def note_files(draft: Draft, use: ToolUse, result: Mapping[str, Any]) -> None:
    """Note the file that a tool changed or read."""
    path = as_name(use.arguments.get("file_path")) or as_name(use.arguments.get("notebook_path"))
    if not path:
        return
    if use.name in _EDITING:
        draft.edited.add(path)
        if result.get("type") == "create":
            draft.created.add(path)
    elif use.name in _READING:
        draft.read.add(path)
