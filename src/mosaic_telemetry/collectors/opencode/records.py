"""The records of opencode: messages, their parts, and sessions, the same objects in its database and in its older files.

Only what is counted is kept. Law: nothing here raises, whatever a record holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.opencode.tools import ToolRun, read_tool
from mosaic_telemetry.collectors.untrusted import as_count, as_mapping, as_milliseconds, as_money, as_text, is_count
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import TaskType

__all__ = ["Message", "Part", "Spent", "read_message", "read_part"]

_BY_SHELL = "The following tool was executed by the user"
_COUNTED = ("input", "output", "reasoning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one model call used.

    Attributes:
        damaged: whether a count was no number.
        cost: US dollars as opencode computed them, None where it did not.
    """

    usage: TokenUsage = field(default_factory=TokenUsage)
    damaged: bool = False
    cost: Decimal | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Tokens out and in, to tell which of two records is the later."""
        return (self.usage.output, self.usage.input)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the person (role `user`) or of a model (role `assistant`); times are milliseconds since 1970.

    Attributes:
        parent: the id of the message that it answers.
        spent: what it used, of which older versions write only the last step.
        summary: whether it sums up the conversation for a compaction.
        folder: where the agent worked; of a model's messages only.
        file: the database or file that it stands in.
    """

    id: str
    session: str
    role: str
    created_ms: int | None
    completed_ms: int | None
    parent: str
    agent: str
    model: str
    provider: str
    spent: Spent
    finish: str
    error: str
    error_text: str
    summary: bool
    folder: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a message.

    Attributes:
        kind: `text`, `reasoning`, `tool`, `step-finish`, `compaction`, `subtask`, `file`, …
        asked: the kind of work that a text asks for.
        own: whether the harness wrote the text, and not the person.
        shell: whether it says that the person ran a command.
        spent: what the step used that ends with this part.
        automatic, overflow: of a compaction: whether the person did not ask for it, and whether the context had already run over.
        tool: of a tool call, what is counted of it.
    """

    id: str
    message: str
    kind: str
    asked: TaskType = TaskType.UNKNOWN
    own: bool = False
    shell: bool = False
    spent: Spent | None = None
    automatic: bool = False
    overflow: bool = False
    tool: ToolRun | None = None


def read_message(data: Mapping[str, Any], file: Path, *, message: str = "", session: str = "", created: Any = None) -> Message:
    """A message; ids and time stand in columns of their own in a database."""
    time = as_mapping(data.get("time"))
    model = as_mapping(data.get("model"))
    error = as_mapping(data.get("error"))
    provider = as_text(data.get("providerID")) or as_text(model.get("providerID"))
    created_ms = as_milliseconds(time.get("created"))
    return Message(
        id=message or as_text(data.get("id")),
        session=session or as_text(data.get("sessionID")),
        role=as_text(data.get("role")),
        created_ms=as_milliseconds(created) if created_ms is None else created_ms,
        completed_ms=as_milliseconds(time.get("completed")),
        parent=as_text(data.get("parentID")),
        agent=as_text(data.get("agent")) or as_text(data.get("mode")),
        model=(as_text(data.get("modelID")) or as_text(model.get("modelID"))).strip(),
        provider=provider,
        spent=_spent(data, provider) if data.get("role") == "assistant" else Spent(),
        finish=as_text(data.get("finish")),
        error=as_text(error.get("name")),
        error_text=as_text(as_mapping(error.get("data")).get("message"))[:2000].lower(),
        summary=data.get("summary") is True,
        folder=as_text(as_mapping(data.get("path")).get("cwd")),
        file=file,
    )


def read_part(data: Mapping[str, Any], *, part: str = "", message: str = "", provider: str = "") -> Part:
    """A part; `provider` is that of its message, which tells how tokens were counted."""
    kind = as_text(data.get("type"))
    text = as_text(data.get("text")) or as_text(data.get("prompt")) if kind in {"subtask", "text"} else ""
    own = data.get("synthetic") is True or data.get("ignored") is True or (kind == "text" and not text.strip())
    return Part(
        id=part or as_text(data.get("id")),
        message=message or as_text(data.get("messageID")),
        kind=kind,
        asked=type_from_prompt(text) if text and not own else TaskType.UNKNOWN,
        own=own,
        shell=data.get("synthetic") is True and text.startswith(_BY_SHELL),
        spent=_spent(data, provider) if kind == "step-finish" else None,
        automatic=data.get("auto") is True,
        overflow=data.get("overflow") is True,
        tool=read_tool(data) if kind == "tool" else None,
    )


def _spent(data: Mapping[str, Any], provider: str) -> Spent:
    """The tokens in a message or a step. `input` excludes the cache; writes to the cache are those for five minutes."""
    tokens = as_mapping(data.get("tokens"))
    cache = as_mapping(tokens.get("cache"))
    counts = {name: as_count(tokens.get(name)) for name in _COUNTED}
    read, written = as_count(cache.get("read")), as_count(cache.get("write"))
    apart = _reasoning_apart(tokens, sum(counts.values()) + read + written, provider)
    numbers = [tokens.get(name) for name in _COUNTED] + [cache.get("read"), cache.get("write")]
    return Spent(
        usage=TokenUsage(
            uncached_input=counts["input"],
            cache_read=read,
            cache_write_5m=written,
            output=counts["output"] + (counts["reasoning"] if apart else 0),
        ),
        damaged=not all(map(is_count, numbers)) or "output" not in tokens,
        cost=as_money(data.get("cost")),
    )


def _reasoning_apart(tokens: Mapping[str, Any], everything: int, provider: str) -> bool:
    """Whether `output` excludes the reasoning.

    It does since the total is written too, unless that says otherwise. Before, it was what the API gave: Google counts apart,
    the others together.
    """
    if tokens.get("total") is None:
        return provider.startswith("google")
    return as_count(tokens.get("total")) != everything - as_count(tokens.get("reasoning"))
