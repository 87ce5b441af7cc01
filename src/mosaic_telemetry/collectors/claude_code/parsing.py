"""One file of Claude Code's log to drafts of tasks, record by record.

Each record belongs to the task of its parent record (`parentUuid`), since two programs may continue one session at the same
time; where the parent is not known, to the task that runs. Law: no record can make `feed` raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.claude_code.content import ToolUse, note_files, read_answer, shell_verdicts
from mosaic_telemetry.collectors.claude_code.drafts import Checked, Draft
from mosaic_telemetry.collectors.claude_code.files import stem_of
from mosaic_telemetry.collectors.claude_code.prompts import Said, classify, text_of, tool_results
from mosaic_telemetry.collectors.claude_code.waiting import LONGEST_MODEL_MS, longest_work_ms, was_denied
from mosaic_telemetry.collectors.kinds import type_from_prompt
from mosaic_telemetry.collectors.languages import names_in
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.untrusted import as_count, as_list, as_mapping, as_moment, as_name, as_text

__all__ = ["SessionFile"]

_SYNTHETIC = "<synthetic>"
_BUDGET_ERRORS = ("hit your limit", "limit reached", "maximum output token", "out of extra usage", "prompt is too long", "usage limit")
_BUDGET_STOPS = frozenset({"max_tokens", "model_context_window_exceeded"})
_DAY_MS = 86_400_000


class SessionFile:
    """Gathers the drafts of one file. Feed it the records in their order, then take `drafts`.

    Args:
        path: the file; its name tells session or subagent where records do not.
    """

    def __init__(self, path: Path) -> None:
        stem = stem_of(path)
        self._agent = stem.removeprefix("agent-") if stem.startswith("agent-") else ""
        self._session = path.parent.parent.name if self._agent and path.parent.name == "subagents" else stem
        self._path = path
        self._current = Draft(key="", session=self._session, agent=self._agent, files={path})
        self._drafts = [self._current]
        self._tentative: Draft | None = None  # a command that may yet turn out to be the harness's own
        self._owners: dict[str, Draft] = {}
        self._dropped: dict[int, tuple[Draft, Draft]] = {}
        self._clocks: dict[tuple[int, bool], int] = {}
        self._uses: dict[str, ToolUse] = {}
        self._line = 0

    @property
    def drafts(self) -> list[Draft]:
        """The drafts found, oldest first; the first has no prompt and may be empty."""
        return self._drafts

    def feed(self, record: Mapping[str, Any], line: int) -> None:
        """Take in one record."""
        self._line = line
        uuid = as_text(record.get("uuid"))
        if uuid and uuid in self._owners:
            return  # the same record once more
        if not self._owners and (session := as_text(record.get("sessionId"))):
            self._current.session = session  # the first draft was made before any record told
        draft = self._owner(record)
        moment = as_moment(record.get("timestamp"))
        match record.get("type"):
            case "user":
                draft = self._user(record, draft, moment)
            case "assistant":
                self._assistant(record, draft, moment)
            case "system":
                self._system(record, draft, moment)
            case "progress":
                self._progress(record, draft, moment)
            case _:
                pass
        if uuid:
            self._owners[uuid] = draft

    # --- whose record ----------------------------------------------------------------------------------------------

    def _owner(self, record: Mapping[str, Any]) -> Draft:
        if self._agent:
            return self._current
        found = self._owners.get(as_text(record.get("parentUuid"))) or self._owners.get(as_text(record.get("logicalParentUuid"))) or self._current
        while id(found) in self._dropped:
            found = self._dropped[id(found)][1]
        return found

    def _begin(self, record: Mapping[str, Any], text: str, moment: int | None) -> Draft:
        session = as_name(record.get("sessionId")) or self._session
        key = as_text(record.get("uuid")) or f"{session} {moment if moment is not None else self._line}"
        draft = Draft(
            key=key,
            session=session,
            started_ms=moment,
            asked=type_from_prompt(text),
            planned=record.get("permissionMode") == "plan",
            files={self._path},
            prompted=(self._path, self._line),
            folder=as_name(record.get("cwd")),
            prompt=as_text(record.get("promptId")),
        )
        self._tick(draft, moment)
        return draft

    def _enter(self, draft: Draft) -> None:
        """The person went on: what ran before is over."""
        self._current.followed = True
        self._current = draft
        self._drafts.append(draft)
        self._tentative = None

    # --- kinds of records ------------------------------------------------------------------------------------------

    def _user(self, record: Mapping[str, Any], draft: Draft, moment: int | None) -> Draft:
        results = tool_results(record)
        if results:
            self._results(record, results, draft, moment)
            return draft
        said, text = classify(record)
        if self._agent or said is Said.NOTHING:
            self._tick(draft, moment, aside=bool(self._agent) or record.get("isSidechain") is True)
        elif said is Said.PROMPT:
            draft = self._begin(record, text, moment)
            self._enter(draft)
        elif said is Said.COMMAND:
            draft = self._tentative = self._begin(record, text, moment)
        elif said is Said.ANSWERED and self._tentative is not None:
            self._dropped[id(self._tentative)] = (self._tentative, self._current)
            self._tentative, draft = None, self._current
        elif said is Said.INTERRUPT and moment is not None:
            draft.last = max(draft.last, (moment, self._line, Ending.STOPPED), key=_when)
            draft.closed_ms = max(draft.closed_ms, moment)
        return draft

    def _assistant(self, record: Mapping[str, Any], draft: Draft, moment: int | None, *, progress: bool = False) -> None:
        if draft is self._tentative:
            self._enter(draft)
        message = as_mapping(record.get("message"))
        aside = progress or bool(self._agent) or record.get("isSidechain") is True
        if as_text(message.get("model")) == _SYNTHETIC:
            if record.get("isApiErrorMessage") is True and not aside:
                self._failed(text_of(message.get("content")).lower(), draft, moment)
            return
        draft.add_answer(read_answer(record, moment, (self._path, self._line), subagent=aside, recorded=not progress))
        calls = self._tool_uses(message, draft)
        if moment is None:
            return
        draft.worked(moment, self._tick(draft, moment, LONGEST_MODEL_MS, aside=aside))
        if aside:
            return
        stop = as_text(message.get("stop_reason"))
        if calls or stop == "tool_use":
            ending = None
        else:
            ending = Ending.BUDGET if stop in _BUDGET_STOPS else Ending.WORD
            if stop:
                draft.closed_ms = max(draft.closed_ms, moment)
        draft.last = max(draft.last, (moment, self._line, ending), key=_when)

    def _failed(self, text: str, draft: Draft, moment: int | None) -> None:
        """The harness gave up on the model API and said so in the agent's place."""
        ending = Ending.BUDGET if any(sign in text for sign in _BUDGET_ERRORS) else Ending.ERROR
        if moment is not None:
            draft.last = max(draft.last, (moment, self._line, ending), key=_when)
            draft.closed_ms = max(draft.closed_ms, moment)
            self._tick(draft, moment)

    def _tool_uses(self, message: Mapping[str, Any], draft: Draft) -> int:
        count = 0
        for block in map(as_mapping, as_list(message.get("content"))):
            if block.get("type") != "tool_use":
                continue
            count += 1
            use = as_text(block.get("id"))
            if use and use not in draft.tool_calls:
                draft.tool_calls.add(use)
                self._uses[use] = ToolUse(as_text(block.get("name")), as_mapping(block.get("input")))
        return count

    def _results(self, record: Mapping[str, Any], results: list[Mapping[str, Any]], draft: Draft, moment: int | None) -> None:
        busy = 0
        for block in results:
            use_id = as_text(block.get("tool_use_id"))
            use = self._uses.pop(use_id, ToolUse("", {}))
            result = record.get("toolUseResult")
            text = text_of(block.get("content"))
            if was_denied(text):
                continue
            busy = max(busy, longest_work_ms(use.name, use.arguments, result))
            failed = block.get("is_error") is True
            if use.name == "Bash":
                command = as_text(use.arguments.get("command"))
                draft.named.update(names_in(command))
                verdicts = shell_verdicts(command, use.arguments, as_mapping(result), text, failed=failed)
                if verdicts and moment is not None:
                    draft.gates[use_id] = Checked(moment, self._path, self._line, verdicts)
            elif not failed:
                note_files(draft, use, as_mapping(result))
            if agent := as_text(as_mapping(result).get("agentId")):
                draft.agents.add(agent)
        if moment is None:
            return
        aside = bool(self._agent) or record.get("isSidechain") is True
        draft.worked(moment, self._tick(draft, moment, busy, aside=aside))
        if not aside:
            draft.last = max(draft.last, (moment, self._line, None), key=_when)

    def _system(self, record: Mapping[str, Any], draft: Draft, moment: int | None) -> None:
        subtype = as_text(record.get("subtype"))
        if subtype in {"turn_duration", "stop_hook_summary"} and moment is not None and record.get("isSidechain") is not True:
            draft.closed_ms = max(draft.closed_ms, moment)
            if length := as_count(record.get("durationMs"), _DAY_MS):
                draft.turns[as_text(record.get("uuid")) or f"{moment}"] = (moment, length)
        if subtype != "compact_boundary" or record.get("isSidechain") is True:
            return
        by_hand = as_mapping(record.get("compactMetadata")).get("trigger") == "manual"
        if by_hand and draft.last[2] is not None:
            self._tick(draft, moment)  # `/compact` between two tasks is no part of either
            return
        draft.compactions.add(as_text(record.get("uuid")) or f"{moment}")
        if moment is not None:
            draft.worked(moment, self._tick(draft, moment, LONGEST_MODEL_MS))

    def _progress(self, record: Mapping[str, Any], draft: Draft, moment: int | None) -> None:
        """A subagent's own records, quoted while it works. Where its file is lost, they are all that is left of it."""
        data = as_mapping(record.get("data"))
        if data.get("type") != "agent_progress":
            return
        if agent := as_text(data.get("agentId")):
            draft.agents.add(agent)
        quoted = as_mapping(data.get("message"))
        inner = {**quoted, "version": record.get("version"), "isSidechain": True}
        moment = as_moment(quoted.get("timestamp")) or moment
        if quoted.get("type") == "assistant":
            self._assistant(inner, draft, moment, progress=True)
        elif quoted.get("type") == "user" and (results := tool_results(quoted)):
            self._results(inner, results, draft, moment)

    def _tick(self, draft: Draft, moment: int | None, most: int = 0, *, aside: bool = False) -> int:
        """Milliseconds since the draft's last step, at most `most`; `moment` is its last step from now on.

        What a subagent does inside this file (`aside`) has a clock of its own: it runs while the agent waits for it.
        """
        if moment is None:
            return 0
        draft.saw(moment)
        last = self._clocks.get((id(draft), aside), moment)
        self._clocks[id(draft), aside] = max(last, moment)
        return max(0, min(moment - last, most))


def _when(last: tuple[int, int, Ending | None]) -> tuple[int, int]:
    return last[:2]
