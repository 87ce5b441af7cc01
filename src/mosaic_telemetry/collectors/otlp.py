"""A harness's own OpenTelemetry logs (OTLP), reduced on arrival to what a task is made of.

Law: a `Fact` holds numbers, categories, times, ids, a model's and a provider's name, and nothing else. What a prompt asks for, what a
command checks and which kinds of files were touched is decided here, and the text is gone with the request. Attributes that are not
named below are never looked at: those of persons and accounts are among them.

Claude Code, Codex and Gemini CLI are understood; records of others are passed over. Numbers may come as text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any, Self

from mosaic_telemetry.collectors.claude_code.prompts import is_own_command
from mosaic_telemetry.collectors.events import public_model
from mosaic_telemetry.collectors.gates import observe
from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.languages import names_in
from mosaic_telemetry.collectors.untrusted import as_count, as_list, as_mapping, as_milliseconds, as_moment, as_text
from mosaic_telemetry.schema import TaskType

__all__ = ["PROMPTS_LOGGED", "Fact", "facts_in", "unmatched_version"]

PROMPTS_LOGGED = "2.1.73"
"""The first version of Claude Code whose log names prompts as its telemetry does."""

_DAY_MS = 86_400_000
_NAME = 100
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})")
_EDITING = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write", "apply_patch", "edit", "replace", "write_file"})
_READING = frozenset({"Read", "read_file"})
# What Claude Code asks a model on its own account: titles, suggestions, summaries. Its log has none of it, and so no task.
_CLAUDE_ASIDE = frozenset(
    {
        "agent_classifier", "agent_creation", "agent_namer", "agent_summary", "auto_dream", "auto_mode", "auto_mode_critique", "away_summary",
        "bash_extract_prefix", "compact", "context_tip_classifier", "context_tip_reception", "extract_memories", "feedback",
        "fleet_agent_suggestions", "generate_session_title", "hook_prompt", "insights", "mcp_datetime_parse", "model_validation",
        "permission_explainer", "prompt_suggestion", "rename_generate_name", "session_search", "side_question", "speculation",
        "teleport_generate_title", "tool_use_summary_generation", "web_fetch_apply", "web_search_tool",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened.

    Attributes:
        harness: `claude-code`, `codex` or `gemini`.
        session: the harness's id of the session.
        prompt: the harness's id of the prompt; empty where it gives none.
        kind: `prompt`, `command` (one to the harness itself), `request`, `error`, `tool`, `work` (of the harness), `start` (of the session),
            or `sent` (a message from one agent to another: here to the agent whose session it is).
        id: tells two records of the same thing; the same for a record that is sent again.
        at_ms: when it ended, in milliseconds since 1970.
        took_ms: how long it took.
        uncached, cache_read, cache_write, output: tokens of a request.
        micros: what the harness says that a request cost, in micro-dollars; 0 where it does not.
        asked: the kind of work that a prompt asks for.
        gates: what a command checked, and whether that passed.
        edited, read: files by a hash of their path, with their suffix.
        above: the session of the agent that started this session's agent, `unknown` for a subagent of one that is not told; empty for
            what tells nothing of that.
    """

    harness: str
    session: str
    prompt: str
    kind: str
    id: str
    at_ms: int
    took_ms: int = 0
    model: str = ""
    provider: str = ""
    aside: bool = False
    uncached: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    micros: int = 0
    asked: str = TaskType.UNKNOWN.value
    gates: Mapping[str, bool] = field(default_factory=dict)
    edited: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    above: str = ""

    def encode(self) -> str:
        """As text that `decode` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Self:
        """The fact in a text that `encode` made."""
        found = json.loads(text)
        return cls(**{**found, "edited": tuple(found["edited"]), "read": tuple(found["read"])})


def facts_in(body: Any) -> Iterator[Fact]:
    """The facts in the body of an OTLP logs request, in its JSON form. What does not fit is passed over; never raises.

    Args:
        body: an `ExportLogsServiceRequest` as its JSON says it, with field names in camelCase.
    """
    for resource in map(as_mapping, as_list(as_mapping(body).get("resourceLogs"))):
        for scope in map(as_mapping, as_list(resource.get("scopeLogs"))):
            for record in map(as_mapping, as_list(scope.get("logRecords"))):
                said = _Attributes(record)
                fact = _fact(said)
                if fact is not None:
                    yield fact
                if (beneath := _spawned(said)) is not None:
                    yield beneath


def unmatched_version(body: Any) -> str:
    """The version of Claude Code in the body of an OTLP logs request where its log does not name prompts; empty for any other.

    The tasks of its telemetry and of its log cannot be known to be the same.
    """
    for resource in map(as_mapping, as_list(as_mapping(body).get("resourceLogs"))):
        said = _Attributes(as_mapping(resource.get("resource")))
        found = _VERSION.match(said.text("service.version"))
        if said.text("service.name") == "claude-code" and found is not None and _version(found) < _version(_VERSION.match(PROMPTS_LOGGED)):
            return found[0]
    return ""


def _version(found: re.Match[str] | None) -> tuple[int, ...]:
    return () if found is None else tuple(map(int, found.groups()))


def _fact(said: _Attributes) -> Fact | None:
    """What a record tells; None for one that tells nothing of a task."""
    harness, event = said.event()
    session = said.text("session.id") or said.text("conversation.id") or said.text("receiver_thread_id")
    at = said.moment()
    reader = _READERS.get((harness, event))
    if reader is None or not session or at is None:
        return None
    found = reader(said)
    if found is None:
        return None
    name = said.text("request_id") or said.text("tool_use_id") or said.text("call_id") or said.text("communication_id")
    # Gemini CLI's `prompt_id` is the session's for all prompts that are given without a terminal, and another for each subagent.
    prompt = said.text("prompt.id")
    known: dict[str, Any] = {"harness": _HARNESSES[harness], "session": session[:200], "prompt": prompt[:200], "at_ms": at}
    # Gemini CLI has no id for a tool call, and many may begin and end at once.
    text = json.dumps([known, found, name or said.text("event.sequence") or said.text("function_args")], sort_keys=True)
    identity = f"{found['kind']} {name[:100]}" if name else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return Fact(**known, id=identity, **found)


def _spawned(said: _Attributes) -> Fact | None:
    """The beginning of a subagent's session, which Codex tells in the result of the tool call that starts it; None for anything else."""
    if said.event() != ("codex", "tool_result") or said.text("tool_name") != "spawn_agent":
        return None
    session, at = as_text(said.document("output").get("agent_id")), said.moment()
    above = said.text("conversation.id")
    if not session or not above or at is None:
        return None
    return Fact(harness="codex", session=session[:200], prompt="", kind="sent", id=f"sent {said.text('call_id')[:100]}", at_ms=at, above=above[:200])


class _Attributes:
    """The attributes of a record, by name."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record
        self._found = {as_text(item.get("key")): _value(item.get("value")) for item in map(as_mapping, as_list(record.get("attributes")))}

    def event(self) -> tuple[str, str]:
        """The harness, as it calls itself, and what happened."""
        harness, _, event = self.text("event.name").partition(".")
        if not event and as_text(_value(self._record.get("body"))).startswith("claude_code."):
            return "claude_code", harness
        return harness, event

    def text(self, name: str) -> str:
        value = self._found.get(name)
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else as_text(value)

    def count(self, name: str, most: int = 0) -> int:
        value = self._found.get(name)
        if isinstance(value, str):
            value = int(value) if value.isdecimal() and len(value) < 16 else None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return as_count(value, most) if most else as_count(value)

    def truth(self, name: str) -> bool | None:
        return {"true": True, "false": False}.get(str(self._found.get(name)).lower())

    def document(self, name: str) -> Mapping[str, Any]:
        """An attribute that is a JSON object as text."""
        try:
            return as_mapping(json.loads(self.text(name) or "{}"))
        except (ValueError, RecursionError):
            return {}

    def moment(self) -> int | None:
        """When it was, in milliseconds since 1970."""
        times = (self._record.get("timeUnixNano"), self._record.get("observedTimeUnixNano"))
        numbers = (int(text) // 1_000_000 for text in map(str, times) if text.isdecimal() and len(text) < 25)
        return as_moment(self.text("event.timestamp")) or next((at for at in map(as_milliseconds, numbers) if at), None)


def _value(value: Any) -> Any:
    """An `AnyValue`; texts, numbers and truths only."""
    found = as_mapping(value)
    for name in ("stringValue", "boolValue", "doubleValue"):
        if name in found:
            return found[name]
    number = found.get("intValue")
    return int(number) if isinstance(number, str) and number.lstrip("-").isdecimal() and len(number) < 21 else number


def _prompt(said: _Attributes) -> dict[str, Any]:
    return {"kind": "prompt", "asked": type_from_prompt(said.text("prompt")).value}


def _claude_prompt(said: _Attributes) -> dict[str, Any]:
    own = said.text("command_source") == "builtin" and is_own_command(said.text("command_name"))
    return {**_prompt(said), "kind": "command" if own else "prompt"}


def _claude_request(said: _Attributes) -> dict[str, Any] | None:
    source = said.text("query_source")
    if source in _CLAUDE_ASIDE:
        return None
    money = said.count("cost_usd_micros", 10**12)
    return {
        **_model(said, "anthropic"),
        "kind": "request",
        "uncached": said.count("input_tokens"),
        "cache_read": said.count("cache_read_tokens"),
        "cache_write": said.count("cache_creation_tokens"),
        "output": said.count("output_tokens"),
        "micros": money,
        "aside": source.startswith("agent"),
    }


def _codex_start(said: _Attributes) -> dict[str, Any]:
    return {"kind": "start", "provider": said.text("provider_name").lower()[:_NAME]}


def _codex_request(said: _Attributes) -> dict[str, Any] | None:
    # The end of an answer is told twice; only one of the two has the counts.
    if said.text("event.kind") != "response.completed" or not said.text("input_token_count"):
        return None
    read = said.count("input_token_count")
    cached = min(read, said.count("cached_token_count"))
    written = min(read - cached, said.count("cache_write_token_count"))
    # `duration_ms` of this record is that of its last event, not that of the request.
    tokens = {"uncached": read - cached - written, "cache_read": cached, "cache_write": written, "output": said.count("output_token_count")}
    return {"kind": "request", "model": public_model(said.text("model"))[:_NAME], **tokens}


def _codex_http(said: _Attributes) -> dict[str, Any]:
    status = said.count("http.response.status_code", 999)
    return {"kind": "work" if 200 <= status < 300 else "error", "took_ms": said.count("duration_ms", _DAY_MS)}


def _codex_tool(said: _Attributes) -> dict[str, Any]:
    # The agent itself is `/root`; its subagents have other names.
    return {**_tool(said), "above": "unknown" if said.text("agent_name") not in {"", "/root"} else ""}


def _codex_sent(said: _Attributes) -> dict[str, Any] | None:
    if said.text("state") != "send" or said.text("kind") == "result":
        return None
    return {"kind": "sent", "above": said.text("sender_thread_id")[:200] if said.text("kind") == "spawn" else ""}


def _gemini_request(said: _Attributes) -> dict[str, Any] | None:
    if said.text("role").startswith("utility"):
        return None
    read = said.count("input_token_count")
    cached = min(read, said.count("cached_content_token_count"))
    output = said.count("output_token_count") + said.count("thoughts_token_count")
    tokens = {"uncached": read - cached + said.count("tool_token_count"), "cache_read": cached, "output": output}
    return {"kind": "request", **_model(said, "google"), **tokens, "aside": said.text("role") == "subagent"}


def _error(said: _Attributes) -> dict[str, Any]:
    return {"kind": "error", "took_ms": said.count("duration_ms", _DAY_MS)}


def _model(said: _Attributes, provider: str) -> dict[str, Any]:
    return {"model": public_model(said.text("model"))[:_NAME], "provider": provider, "took_ms": said.count("duration_ms", _DAY_MS)}


def _tool(said: _Attributes) -> dict[str, Any]:
    """A tool call: its time, what it checked, and what kinds of files it touched."""
    given = {**said.document("tool_input"), **said.document("tool_parameters"), **said.document("arguments"), **said.document("function_args")}
    name = said.text("tool_name") or said.text("function_name")
    command = next((text for key in ("full_command", "command", "cmd") if (text := as_text(given.get(key)))), "")
    output = said.text("output")
    succeeded = said.truth("success")
    if "Process exited with code" in output:  # Codex: the tool worked, whatever the command said
        succeeded = "Process exited with code 0" in output
    status = said.document("metadata").get("exitCode")  # Gemini CLI likewise
    if isinstance(status, int):
        succeeded = status == 0
    path = next((text for key in ("file_path", "absolute_path", "path") if (text := as_text(given.get(key)))), "")
    verdicts = observe(command, succeeded=succeeded, output=output) if command else {}
    return {
        "kind": "tool",
        "took_ms": said.count("duration_ms", _DAY_MS),
        "gates": {gate.value: passed for gate, passed in verdicts.items()},
        "edited": (_faceless(path),) if path and name in _EDITING else (),
        "read": tuple(sorted({_faceless(text) for text in names_in(command)} | ({_faceless(path)} if path and name in _READING else set()))),
    }


def _faceless(path: str) -> str:
    """A file that can be told from others, and of which nothing shows but its suffix."""
    suffix = PurePath(path).suffix
    return f"{hashlib.sha256(path.encode('utf-8', 'replace')).hexdigest()[:16]}{suffix if len(suffix) <= 8 else ''}"


_HARNESSES = {"claude_code": "claude-code", "codex": "codex", "gemini_cli": "gemini"}
_READERS = {
    ("claude_code", "user_prompt"): _claude_prompt,
    ("claude_code", "api_request"): _claude_request,
    ("claude_code", "api_error"): _error,
    ("claude_code", "tool_result"): _tool,
    ("codex", "conversation_starts"): _codex_start,
    ("codex", "user_prompt"): _prompt,
    ("codex", "sse_event"): _codex_request,
    ("codex", "api_request"): _codex_http,
    ("codex", "tool_result"): _codex_tool,
    ("codex", "agent_communication"): _codex_sent,
    ("gemini_cli", "user_prompt"): _prompt,
    ("gemini_cli", "api_response"): _gemini_request,
    ("gemini_cli", "api_error"): _error,
    ("gemini_cli", "tool_call"): _tool,
}
