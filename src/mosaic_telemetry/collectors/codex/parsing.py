"""One rollout file of Codex to turns, record by record. Law: no record can make `feed` raise.

A rollout begins with `session_meta`. A forked one then holds a copy of the other's records, its `session_meta` among them,
with new times: the ids in them, or what they say, tell that they are copies. That of a subagent tells where its own records begin.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.codex.counting import Meter, read_counts
from mosaic_telemetry.collectors.codex.tools import ToolCall, command_text, duration_ms, note_patch, read_call, read_output
from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.serving import provider_named
from mosaic_telemetry.collectors.turns import LONGEST_STEP_MS, Step, Turn
from mosaic_telemetry.collectors.untrusted import as_count, as_list, as_mapping, as_moment, as_text
from mosaic_telemetry.collectors.values import ModelCall, Note

__all__ = ["Rollout"]

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOT_SAID = ("<environment_context>", "<user_instructions>", "<turn_aborted>", "<subagent_notification>", "<user_shell_command>", "# AGENTS.md")
_OUT_OF_BUDGET = ("usage_limit", "usage limit", "context_window", "context window", "budget")
_GRACE_MS = 1_000
_DAY_MS = 86_400_000


class Rollout:
    """Gathers the turns of one file. Feed it the records in their order, then take `finish()`.

    Args:
        path: the file; its name tells the session where no record does.
    """

    def __init__(self, path: Path) -> None:
        found = _ID.findall(path.name)
        self._session = found[-1] if found else path.name.partition(".")[0]
        self._root = self._session
        self._known = False
        self._provider = ""
        self._parent_session = ""
        self._model = ""
        self._turn_id = ""
        self._ids: set[str] = set()
        self._copied = 0
        self._meter = Meter()
        self._path = path
        self._folder = ""
        self._version = ""
        self._line = 0
        self._current = self._new("")
        self._turns = [self._current]
        self._words: dict[int, list[object]] = {}
        self._uses: dict[str, ToolCall] = {}
        self._background: dict[str, tuple[str, str]] = {}

    def finish(self) -> list[Turn]:
        """The turns found, oldest first, each with its key; the first has no prompt and may be empty."""
        for turn in self._turns:
            turn.folder = turn.folder or self._folder
            turn.version = self._version
            words = self._words.get(id(turn))
            if words is not None and not turn.key:
                # What was said, after how many tokens, and what the first answer took: the same in every copy and earlier state.
                turn.key = hashlib.sha256(repr(words).encode("utf-8", "replace")).hexdigest()
            prefix = turn.key or f"{self._root}@"
            turn.calls = {call.id: call for call in (replace(one, id=prefix + one.id) if one.id.startswith("#") else one for one in turn.calls.values())}
        return self._turns

    def feed(self, record: Mapping[str, Any], line: int) -> None:
        """Take in one record."""
        self._line = line
        if 0 < as_count(record.get("ordinal")) < self._copied:
            return  # a subagent's memory of what was said before it, without the turns and the tokens of that
        moment = as_moment(record.get("timestamp"))
        payload = as_mapping(record.get("payload"))
        match record.get("type"):
            case "session_meta":
                self._meta(payload)
            case "turn_context":
                self._context(payload)
            case "response_item":
                self._item(payload, moment)
            case "event_msg":
                self._event(payload, moment)
            case "token_usage_record":
                self._count(payload.get("thread_token_usage"), payload.get("usage"), moment, as_text(payload.get("response_id")))
            case "compacted":
                self._current.compactions.add(f"{moment or line}")
                self._worked(moment, self._current.last[2])
            case _:
                pass

    # --- whose session, whose turn ---------------------------------------------------------------------------------

    def _new(self, key: str, parent_session: str = "") -> Turn:
        where = f"line {self._line}" if self._line else ""
        return Turn(key=key, session=self._session, parent_session=parent_session, file=self._path, prompted=where, telemetered=True)

    def _meta(self, payload: Mapping[str, Any]) -> None:
        session = as_text(payload.get("id")) or as_text(payload.get("session_id"))
        if self._known:  # the head of the history that this file began as a copy of
            self._root = session or self._root
            self._meter.inherited = True
            return
        self._known = True
        self._session = self._root = self._current.session = session or self._session
        self._provider = as_text(payload.get("model_provider"))
        self._folder = as_text(payload.get("cwd"))
        self._version = as_text(payload.get("cli_version"))
        self._meter.inherited = bool(payload.get("forked_from_id"))
        subagent = as_mapping(payload.get("source")).get("subagent")
        if subagent is not None or payload.get("thread_source") == "subagent":
            spawned = as_mapping(as_mapping(subagent).get("thread_spawn"))
            above = (spawned.get("parent_thread_id"), payload.get("parent_thread_id"), payload.get("forked_from_id"))
            self._parent_session = self._current.parent_session = next(filter(None, map(as_text, above)), "unknown")
            self._copied = as_count(payload.get("subagent_history_start_ordinal"))

    def _begin(self, text: str, moment: int | None) -> None:
        """A person's prompt: a new turn, unless it only steers the one that runs."""
        fresh = self._turn_id if self._turn_id not in self._ids else ""
        if self._current.key and self._turn_id == self._current.key and not self._current.closed:
            return
        self._current.followed = True
        turn = self._new(fresh, self._parent_session)
        turn.asked = type_from_prompt(text)
        self._ids.add(fresh)
        self._words[id(turn)] = [self._root, text, self._meter.total]
        turn.begin(moment)
        self._enter(turn)

    def _enter(self, turn: Turn) -> None:
        turn.planned = self._current.planned and not self._current.key
        turn.parent = self._current.parent if not self._current.key and id(self._current) not in self._words else ""
        self._current = turn
        self._turns.append(turn)

    def _context(self, payload: Mapping[str, Any]) -> None:
        self._model = as_text(payload.get("model")).strip() or self._model
        self._current.folder = as_text(payload.get("cwd"))
        turn_id = as_text(payload.get("turn_id"))
        if turn_id and turn_id not in self._ids and id(self._current) in self._words and not self._current.key and not self._current.calls:
            self._current.key = self._turn_id = turn_id
            self._ids.add(turn_id)
        self._root_turn(payload)
        if as_mapping(payload.get("collaboration_mode")).get("mode") == "plan":
            self._current.planned = True

    def _root_turn(self, payload: Mapping[str, Any]) -> None:
        root = as_text(payload.get("root_turn_id"))
        if root and root != as_text(payload.get("turn_id")):
            self._current.parent = root

    def _started(self, payload: Mapping[str, Any]) -> None:
        """Codex set to work: for a prompt that follows, or for itself, as for `/compact`."""
        self._turn_id = as_text(payload.get("turn_id"))
        if not self._turn_id or self._turn_id in self._ids:
            return
        self._enter(self._new("", self._parent_session))
        self._root_turn(payload)
        self._current.planned = payload.get("collaboration_mode_kind") == "plan"

    # --- events ----------------------------------------------------------------------------------------------------

    def _event(self, payload: Mapping[str, Any], moment: int | None) -> None:
        match payload.get("type"):
            case "user_message":
                text = as_text(payload.get("message"))
                if (as_text(payload.get("kind")) or "plain") == "plain" and not text.startswith(_NOT_SAID):
                    self._begin(text, moment)
            case "task_started" | "turn_started":
                self._started(payload)
            case "token_count":
                self._token_count(as_mapping(payload.get("info")), moment)
            case "item_completed":
                self._completed(as_mapping(payload.get("item")), moment)
            case "exec_command_end":
                self._executed(as_text(payload.get("call_id")), payload, moment)
            case "task_complete" | "turn_complete" | "turn_aborted" | "error" as kind:
                self._over(str(kind), payload, moment)
            case _:
                pass

    def _over(self, kind: str, payload: Mapping[str, Any], moment: int | None) -> None:
        """The turn ended: by itself, stopped, or since the model API failed for good."""
        turn = self._current
        said = f"{as_text(payload.get('reason'))} {as_text(payload.get('message'))} {payload.get('codex_error_info')}".lower()
        if kind in {"task_complete", "turn_complete"}:
            turn.measured_ms = as_count(payload.get("duration_ms"), _DAY_MS) or turn.measured_ms
            turn.step(moment, Step.WORK, self._line, turn.last[2])
        else:
            otherwise = Ending.ERROR if kind == "error" else Ending.STOPPED
            turn.step(moment, Step.WAIT, self._line, Ending.BUDGET if any(sign in said for sign in _OUT_OF_BUDGET) else otherwise)
        turn.closed = True

    def _completed(self, item: Mapping[str, Any], moment: int | None) -> None:
        match item.get("type"):
            case "UserMessage":
                self._begin("\n".join(as_text(as_mapping(part).get("text")) for part in as_list(item.get("content"))), moment)
            case "CommandExecution":
                self._executed(as_text(item.get("id")), item, moment)
            case _:
                pass

    def _executed(self, use: str, item: Mapping[str, Any], moment: int | None) -> None:
        """A command that ended, with its true exit status."""
        turn = self._current
        code = item.get("exit_code")
        command = command_text(item.get("command"))
        turn.read.update(
            as_text(parsed.get("path") or parsed.get("name")) for parsed in map(as_mapping, as_list(item.get("parsed_cmd"))) if parsed.get("type") == "read"
        )
        if use and isinstance(code, int):
            turn.ran(use, command, succeeded=code == 0, output=as_text(item.get("aggregated_output")), at=(moment or 0, self._line))
        took = duration_ms(item.get("duration"))
        self._worked(moment, turn.last[2], most=LONGEST_STEP_MS if took is None else took + _GRACE_MS)

    # --- tokens ----------------------------------------------------------------------------------------------------

    def _token_count(self, info: Mapping[str, Any], moment: int | None) -> None:
        if info:
            if window := as_count(info.get("model_context_window")):
                self._current.windows[self._model or "unknown"] = window
            self._count(info.get("total_token_usage"), info.get("last_token_usage"), moment)

    def _count(self, total: Any, last: Any, moment: int | None, response: str = "") -> None:
        turn = self._current
        counts, newest = read_counts(as_mapping(total)), read_counts(as_mapping(last))
        if counts is None:
            turn.notes.add(Note.USAGE_DAMAGED)
            return
        usages = self._meter.calls(counts, newest)
        for number, usage in enumerate(usages, 1):
            own = response if number == len(usages) else ""
            model = self._model or "unknown"
            turn.providers[model] = provider_named(self._provider)
            name, aside = own or f"#{len(turn.calls)}", bool(self._parent_session)
            turn.add_call(ModelCall(id=name, model=model, usage=usage, at_ms=moment, subagent=aside, record=f"line {self._line}"))
        if usages:
            if (words := self._words.get(id(turn))) is not None and len(words) == 3:
                words.append(usages[0])
            self._worked(moment, turn.last[2])

    # --- what the model and the tools did --------------------------------------------------------------------------

    def _item(self, payload: Mapping[str, Any], moment: int | None) -> None:
        match payload.get("type"):
            case "message" if payload.get("role") == "assistant":
                self._worked(moment, Ending.WORD)
            case "reasoning":
                self._worked(moment, None)
            case "function_call" | "custom_tool_call" | "local_shell_call":
                self._call(payload, moment)
            case "function_call_output" | "custom_tool_call_output":
                self._result(payload, moment)
            case _:
                pass

    def _call(self, payload: Mapping[str, Any], moment: int | None) -> None:
        use = as_text(payload.get("call_id")) or as_text(payload.get("id")) or f"{self._line}"
        call = self._uses[use] = read_call(payload)
        self._current.tool_calls.add(use)
        note_patch(self._current, as_text(payload.get("input")) or call.command)
        self._worked(moment, None)

    def _result(self, payload: Mapping[str, Any], moment: int | None) -> None:
        turn = self._current
        use = as_text(payload.get("call_id"))
        call = self._uses.pop(use, ToolCall())
        output = read_output(payload.get("output"))
        if output.refused:
            turn.step(moment, Step.WAIT, self._line)
            return
        use, command = self._background.get(call.continues, (use, call.command)) if call.continues else (use, call.command)
        if output.running:
            self._background[output.running] = (use, command)
        elif command and use not in turn.checks:
            succeeded = None if output.exit_code is None else output.exit_code == 0
            turn.ran(use, command, succeeded=succeeded, output=output.text, at=(moment or 0, self._line))
        self._worked(moment, None, most=LONGEST_STEP_MS if output.wall_ms is None else output.wall_ms + _GRACE_MS)

    def _worked(self, moment: int | None, ending: Ending | None, most: int = LONGEST_STEP_MS) -> None:
        self._current.step(moment, Step.WORK, self._line, ending, most=most)
