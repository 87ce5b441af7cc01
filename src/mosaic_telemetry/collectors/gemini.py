"""Gemini CLI: its chat files to tasks. What is read, and by which rules, is told in docs/collectors/gemini.md.

A chat is one JSON document in older versions and a file of JSON lines in newer ones. There a message is written again whenever
more of it is known, under the same id: the last record of a message counts. `$set` records patch the chat: they can only add to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.reading import Counting, Watcher, read_document, read_records
from mosaic_telemetry.collectors.turns import LONGEST_STEP_MS, Step, Turn
from mosaic_telemetry.collectors.untrusted import as_count, as_list, as_mapping, as_moment, as_text, is_count
from mosaic_telemetry.collectors.values import ModelCall, Note
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import Provider

__all__ = ["Gemini"]

_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_NO_CHATS = frozenset({"logs.json", "settings.json", "state.json", "projects.json", "trustedFolders.json", "google_accounts.json", "oauth_creds.json"})
_NOT_SAID = ("<session_context>", "<state_snapshot>", "<hook_context>", "This is the Gemini CLI. We are setting up the context")
_SHELL = frozenset({"run_shell_command", "shell"})
_EDITING = frozenset({"edit", "replace", "smart_edit", "write_file"})
_READING = frozenset({"read_file"})
_INSTANT = _EDITING | _READING | {"glob", "grep_search", "list_directory", "read_many_files", "save_memory", "search_file_content", "write_todos"}
_ASKING = frozenset({"ask_user", "enter_plan_mode", "exit_plan_mode"})
_INSTANT_MS = 5_000
_EXIT = re.compile(r"^Exit Code: (-?\d{1,10}|\(none\))\s*$", re.MULTILINE)
_LARGE = re.compile(r"gemini-(?:2\.[05]|3)")  # the price list has no window for them
_WINDOW = 1_048_576
_TOKENS = ("input", "output", "cached", "thoughts", "tool")
_WORKSPACE = re.compile(r"<session_context>.*?Workspace Directories:\*\*\n  - ([^\n]+)", re.DOTALL)
_OUT_OF_BUDGET = ("quota", "limit", "exhausted", "token count exceeds")


class Gemini(LogCollector):
    """The collector for Gemini CLI."""

    name = "gemini"
    title = "Gemini CLI"

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """The folder of chats by project: under GEMINI_CLI_HOME, else `~/.gemini/tmp`."""
        root = Path(env["GEMINI_CLI_HOME"]).expanduser() if env.get("GEMINI_CLI_HOME") else home
        return [root / ".gemini" / "tmp"]

    def find(self, place: Path) -> Sequence[Path]:
        """The chats in a place: the harness's folder, its `tmp`, one project's, its `chats`, or one file."""
        if place.is_file():
            return [place] if place.name.endswith(_SUFFIXES) and place.name not in _NO_CHATS else []
        home = next((folder for folder in (place / ".gemini" / "tmp", place / "tmp") if folder.is_dir()), None)
        root = home or place

        def is_chat(path: Path) -> bool:
            inside = path.relative_to(root).parts[:-1]
            return path.name.startswith("session-") or "chats" in inside or (not inside and home is None)

        found = (path for path in root.rglob("*") if path.name.endswith(_SUFFIXES) and path.name not in _NO_CHATS and path.is_file())
        return sorted(path for path in found if is_chat(path))

    def read(self, unit: Unit, counting: Counting) -> Sequence[Turn]:
        """The turns in a chat."""
        return _Chat(unit[0], counting).turns()


class _Chat:
    """One file. Law: nothing in it can make `turns` raise."""

    def __init__(self, path: Path, watcher: Watcher) -> None:
        self._session = path.name.partition(".")[0]
        self._parent_session = ""
        self._path = path
        # A project's folder goes by its name, or in older versions by a hash of its path.
        self._folder = path.parent.parent.name if path.parent.name == "chats" else ""
        self._messages: dict[str, Mapping[str, Any]] = {}
        records: Iterable[Mapping[str, Any]]
        if path.name.removesuffix(".gz").endswith(".jsonl"):
            records = (record for _, record in read_records(path, watcher))
        else:
            document = read_document(path, watcher)
            records = () if document is None else (document,)
        for record in records:
            self._take(record)

    def _take(self, record: Mapping[str, Any]) -> None:
        """The head of a chat, a patch of it, or one message."""
        patch = as_mapping(record.get("$set"))
        for head in (record, patch):
            self._session = as_text(head.get("sessionId")) or self._session
            if head.get("kind") == "subagent":
                above = self._path.parent.name
                self._parent_session = as_text(head.get("parentSessionId")) or (above if above != "chats" else "unknown")
            # What a patch leaves out of its messages was used all the same.
            for message in map(as_mapping, as_list(head.get("messages"))):
                self._add(message, patch=head is patch)
        if "type" in record:
            self._add(record)

    def _add(self, message: Mapping[str, Any], *, patch: bool = False) -> None:
        if message.get("type") == "user" and (found := _WORKSPACE.search(_said(message))):
            self._folder = found.group(1)
        name = as_text(message.get("id")) or f"{self._session} {as_text(message.get('timestamp'))} {len(self._messages)}"
        if patch and name in self._messages:
            # A resumed chat is told again so, under the time of that moment and without tokens and tool calls: it can only add.
            message = {**message, **self._messages[name]}
        self._messages[name] = message

    def _turn(self, name: str) -> Turn:
        where = f"message {name}" if name else ""
        turn = Turn(key=name, session=self._session, parent_session=self._parent_session, file=self._path, folder=self._folder, prompted=where)
        turn.telemetered = True
        return turn

    def turns(self) -> list[Turn]:
        """The turns, oldest first; the first has no prompt and may be empty."""
        current = self._turn("")
        turns = [current]
        for line, (name, message) in enumerate(self._messages.items()):
            moment = as_moment(message.get("timestamp"))
            kind = message.get("type")
            if kind == "user":
                text = _prompt_of(message)
                if text is None:
                    current.settled = False  # the agent goes on with it
                    continue
                current.followed = True
                current = self._turn(name)
                current.asked = type_from_prompt(text)
                current.begin(moment)
                turns.append(current)
            elif kind == "gemini":
                self._answer(current, name, message, moment, line)
                # A call of a tool is written when the tool has ended; often nothing is said before it.
                current.settled = current.last[2] is Ending.WORD and bool(_said(message))
            elif kind in ("error", "info"):  # a set would hash whatever the file holds
                _remark(current, as_text(message.get("content")), moment, line, failed=kind == "error")
                current.settled = current.settled or current.last[2] in {Ending.BUDGET, Ending.ERROR, Ending.STOPPED}
        return turns

    def _answer(self, turn: Turn, name: str, message: Mapping[str, Any], moment: int | None, line: int) -> None:
        model = as_text(message.get("model")).strip() or "unknown"
        usage, damaged = _usage(message.get("tokens"))
        if damaged:
            turn.notes.add(Note.USAGE_DAMAGED)
        if "tokens" in message and usage != TokenUsage():
            aside = bool(self._parent_session)
            turn.add_call(ModelCall(id=name, model=model, usage=usage, at_ms=moment, subagent=aside, record=f"message {name}"))
            turn.providers[model] = Provider.GOOGLE
            if _LARGE.match(model):
                turn.windows[model] = _WINDOW
        tools = [as_mapping(tool) for tool in as_list(message.get("toolCalls"))]
        turn.step(moment, Step.WORK, line, None if tools else Ending.WORD)
        for tool in tools:
            _tool(turn, tool, moment, line)


def _prompt_of(message: Mapping[str, Any]) -> str | None:
    """The text of a person's prompt; None for what the harness writes in a person's name, such as the results of tools."""
    if any("functionResponse" in as_mapping(part) for part in as_list(message.get("content"))):
        return None
    text = _said(message)
    return None if text.startswith(_NOT_SAID) else text


def _said(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(as_text(as_mapping(part).get("text")) for part in content)
    return as_text(content).strip()


def _usage(value: Any) -> tuple[TokenUsage, bool]:
    """The token counts of an answer: `cached` lies inside `input`, `thoughts` outside `output`; and whether one is no number."""
    tokens = as_mapping(value)
    damaged = bool(value) and not (tokens and all(is_count(tokens.get(name)) for name in _TOKENS))
    read = as_count(tokens.get("input"))
    cached = min(read, as_count(tokens.get("cached")))
    written = as_count(tokens.get("output")) + as_count(tokens.get("thoughts"))
    return TokenUsage(uncached_input=read - cached + as_count(tokens.get("tool")), cache_read=cached, output=written), damaged


def _tool(turn: Turn, tool: Mapping[str, Any], answered: int | None, line: int) -> None:
    use = as_text(tool.get("id")) or f"{line} {len(turn.tool_calls)}"
    name = as_text(tool.get("name"))
    arguments = as_mapping(tool.get("args"))
    moment = as_moment(tool.get("timestamp")) or answered
    turn.tool_calls.add(use)
    status = tool.get("status")
    if status == "cancelled":
        turn.step(moment, Step.WAIT, line, Ending.STOPPED)
        return
    if name in _SHELL:
        output = "\n".join(_outputs(tool))
        turn.ran(use, as_text(arguments.get("command")), succeeded=_succeeded(output, status), output=output, at=(moment or 0, line))
    elif status != "error":
        _note_file(turn, name, arguments, tool.get("resultDisplay"))
    turn.step(moment, Step.WAIT if name in _ASKING else Step.WORK, line, most=_INSTANT_MS if name in _INSTANT else LONGEST_STEP_MS)


def _outputs(tool: Mapping[str, Any]) -> list[str]:
    found = []
    for part in map(as_mapping, as_list(tool.get("result"))):
        response = as_mapping(as_mapping(part.get("functionResponse")).get("response"))
        found.append(as_text(response.get("output")) or as_text(response.get("error")))
    return found


def _succeeded(output: str, status: Any) -> bool | None:
    """Whether a shell command's exit status was 0. Newer versions write it only where it was not."""
    codes = _EXIT.findall(output)
    if codes:
        return None if codes[-1] == "(none)" else codes[-1] == "0"
    newer = output.removeprefix("<untrusted_context>").lstrip().startswith("Output:")
    return True if newer and status == "success" and "\nSignal: " not in output and "Command timed out" not in output else None


def _note_file(turn: Turn, name: str, arguments: Mapping[str, Any], shown: Any) -> None:
    path = as_text(arguments.get("file_path")) or as_text(arguments.get("absolute_path"))
    if path and name in _EDITING:
        turn.edited.add(path)
        if as_mapping(shown).get("isNewFile") is True or as_mapping(as_mapping(shown).get("diffStat")).get("isNewFile") is True:
            turn.created.add(path)
    elif path and name in _READING:
        turn.read.add(path)


def _remark(turn: Turn, text: str, moment: int | None, line: int, *, failed: bool) -> None:
    """What the harness says in the chat: that it gave up, was stopped, or made the context smaller."""
    said = text.lower()
    if failed:
        turn.step(moment, Step.WAIT, line, Ending.BUDGET if any(sign in said for sign in _OUT_OF_BUDGET) else Ending.ERROR)
    elif "request cancelled" in said:
        turn.step(moment, Step.WAIT, line, Ending.STOPPED)
    elif "history compressed" in said or "compressed from" in said:
        turn.compactions.add(f"{moment} {line}")
