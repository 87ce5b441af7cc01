"""From the drafts of all files to finished tasks: copies become one, subagents join their task, each call counts once."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mosaic_telemetry.collectors.assembling import FINISHED_BY, MEASURED, OBSERVED, QUIET_MS, UTILIZED, WORKED, main_model
from mosaic_telemetry.collectors.claude_code.drafts import Answer, Draft
from mosaic_telemetry.collectors.claude_code.serving import provider_of, window_of
from mosaic_telemetry.collectors.kinds import Work, complexity_of, type_of
from mosaic_telemetry.collectors.languages import main_language
from mosaic_telemetry.collectors.outcomes import Ending, outcome_of
from mosaic_telemetry.collectors.values import Collection, Evidence, ModelCall, Note, Task, Totals, Waiting
from mosaic_telemetry.schema import Harness, QualityGate

__all__ = ["QUIET_MS", "assemble"]

_FAST = {"speed": "fast"}
_UNDERREPORTING = ((2, 1, 12), (2, 1, 42))
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})")


@dataclass(slots=True)
class _Owned:
    """One answer and the draft that it counts for; None where it belongs to no task."""

    answer: Answer
    draft: Draft | None
    session: str


def assemble(drafts: Iterable[Draft], *, now_ms: int, files: int, skipped: int) -> Collection:
    """The tasks in `drafts`, and what was used outside of any.

    Args:
        drafts: of all files.
        now_ms: milliseconds since 1970, to tell which task is finished.
        files: files read, for the record.
        skipped: lines and files that could not be used, for the record.
    """
    tasks, parts = _merged(_logged_once(list(drafts)))
    loose = _join_parts(tasks, parts)
    owned = _ownership(tasks, loose)
    of_draft: dict[int, list[Answer]] = defaultdict(list)
    totals: dict[str, Totals] = {}
    outside: list[ModelCall] = []
    largest: Counter[tuple[str, str]] = Counter()
    for item in owned:
        call = _call(item.answer)
        totals[item.session] = totals.get(item.session, Totals()).with_call(call)
        if item.draft is None:
            outside.append(call)
            continue
        of_draft[id(item.draft)].append(item.answer)
        if not call.subagent:
            largest[item.session, call.model] = max(largest[item.session, call.model], call.usage.input)
    finished: list[Task] = []
    waiting: list[Waiting] = []
    for draft in tasks:
        answers = of_draft.get(id(draft), [])
        if not answers or draft.ended_ms is None:
            continue  # a prompt that no model answered, or one without any time
        due = _due_ms(draft)
        if due is None or now_ms >= due:
            finished.append(_task(draft, answers, largest))
        else:
            waiting.append(Waiting(frozenset(draft.files), due))
    finished.sort(key=lambda task: (task.started_ms, task.identity))
    return Collection(tasks=finished, waiting=waiting, files=files, skipped=skipped, totals=totals, outside=outside)


def _logged_once(drafts: Sequence[Draft]) -> Iterator[Draft]:
    """The drafts without those of streams whose answers stand in a log too, which tells more of them."""
    logged = {answer for draft in drafts if not draft.streamed for answer in draft.answers}
    return (draft for draft in drafts if not draft.streamed or logged.isdisjoint(draft.answers))


def _merged(drafts: Iterable[Draft]) -> tuple[list[Draft], list[Draft]]:
    """The tasks, copies of one made one; and the parts that have no prompt of their own."""
    by_key: dict[str, Draft] = {}
    parts: list[Draft] = []
    for draft in drafts:
        if not draft.key:
            if draft.answers:
                parts.append(draft)
        elif draft.key in by_key:
            by_key[draft.key].absorb(draft)
        else:
            by_key[draft.key] = draft
    ordered = sorted(by_key.values(), key=lambda task: (_start(task), task.key))
    # Going on with a session of an older version, the harness gives the prompts in it the id of the newest one.
    newest = {draft.prompt: draft for draft in ordered}
    for draft in ordered:
        draft.prompt = draft.prompt if newest[draft.prompt] is draft else ""
    return ordered, parts


def _join_parts(tasks: Sequence[Draft], parts: Sequence[Draft]) -> list[Draft]:
    """Give each subagent's part to its task; returns those for which there is none.

    The task that started the subagent names it; where none does, it is the one that ran at that time in the same session.
    """
    by_agent = {agent: task for task in tasks for agent in task.agents}
    # A subagent may have started another: follow the names up.
    above = {agent: part.agent for part in parts if part.agent for agent in part.agents}
    by_session: dict[str, list[Draft]] = defaultdict(list)
    for task in tasks:
        by_session[task.session].append(task)
    loose: list[Draft] = []
    for part in parts:
        agent = part.agent
        for _ in range(10):
            if not agent or agent in by_agent or agent not in above:
                break
            agent = above[agent]
        starter = by_agent.get(agent) if agent else None
        if starter is None and part.agent and part.first_ms is not None:
            starter = next((one for one in reversed(by_session[part.session]) if _start(one) <= part.first_ms), None)
        if starter is None:
            loose.append(part)
        else:
            starter.absorb(part)
    return loose


def _ownership(tasks: Sequence[Draft], loose: Sequence[Draft]) -> list[_Owned]:
    """Each answer once: for the agent's own copy rather than a side chain's, for a task rather than none, for the earliest."""
    owned: dict[str, _Owned] = {}
    own_copy: dict[str, bool] = {}
    # `tasks` are ordered by start, so that the first to claim an answer is the earliest.
    claims: list[tuple[Draft, Draft | None]] = [(draft, draft) for draft in tasks]
    claims += [(part, None) for part in sorted(loose, key=lambda part: (part.session, part.agent))]
    for draft, task in claims:
        for answer in draft.answers.values():
            known = owned.get(answer.id)
            if known is None:
                owned[answer.id] = _Owned(answer, task, draft.session)
                own_copy[answer.id] = not answer.subagent
                continue
            if task is not None and not answer.subagent and not own_copy[answer.id]:
                known.draft, known.session, own_copy[answer.id] = task, draft.session, True
            known.answer = known.answer.merged(answer)
    return list(owned.values())


def _due_ms(draft: Draft) -> int | None:
    """When it counts as finished if nothing more is written; None where it is."""
    if draft.followed or _is_closed(draft):
        return None
    return max(draft.ended_ms or 0, draft.last[0]) + QUIET_MS


def _is_closed(draft: Draft) -> bool:
    return draft.closed_ms >= 0 and draft.closed_ms >= draft.last[0]


def _task(draft: Draft, answers: list[Answer], largest: Counter[tuple[str, str]]) -> Task:
    calls = sorted((_call(answer) for answer in answers), key=lambda call: (call.at_ms or 0, call.id))
    own = [call for call in calls if not call.subagent] or calls
    model = main_model(own)
    last = own[-1]
    window = window_of(last.model, max(largest[draft.session, last.model], last.usage.input))
    work = Work(edited=draft.edited, created=draft.created, read=draft.read, tool_calls=len(draft.tool_calls), planned=draft.planned)
    gates = _last_results(draft)
    return Task(
        identity=draft.key,
        harness=Harness.CLAUDE_CODE,
        session=draft.session,
        started_ms=_start(draft),
        ended_ms=draft.ended_ms or _start(draft),
        active_ms=draft.active_ms,
        calls=tuple(calls),
        model=model,
        provider=provider_of(model, next(call.id for call in own if call.model == model)),
        task_type=type_of(draft.asked, work),
        complexity=complexity_of(work),
        gates=gates,
        outcome=outcome_of(draft.last[2] or Ending.STOPPED, gates),
        compactions=len(draft.compactions),
        context_utilization=min(1.0, last.usage.input / window) if window else 0.0,
        language=main_language(draft.edited, draft.read, draft.named),
        notes=_notes(draft, answers, window),
        folder=draft.folder,
        evidence=_evidence(draft, window),
        files=frozenset(draft.files),
        version=max((answer.version for answer in answers), key=_version_key, default=""),
        shared=draft.prompt,
    )


def _evidence(draft: Draft, window: int | None) -> dict[str, Evidence]:
    """Where the numbers come from that are no sums over the calls."""
    file, line = draft.prompted or (None, 0)
    measured = draft.measured
    found = {
        "task": Evidence(FINISHED_BY[draft.followed, _is_closed(draft)], file, (f"line {line}",) if line else ()),
        "task_duration_ms": Evidence(MEASURED if measured else WORKED, file, tuple(sorted(draft.turns)) if measured else ()),
        "context_utilization_final": Evidence(UTILIZED if window else "the model's context window is not known", file),
        "context_compactions": Evidence("each compaction within the task", file, tuple(sorted(draft.compactions))),
    }
    for _, checked in sorted(draft.gates.items(), key=lambda item: (item[1].at_ms, item[0])):
        for gate in checked.verdicts:
            found[f"quality_gates.{gate}"] = Evidence(OBSERVED, checked.file, (f"line {checked.line}",))
    return found


def _last_results(draft: Draft) -> dict[QualityGate, bool]:
    results: dict[QualityGate, bool] = {}
    for _, checked in sorted(draft.gates.items(), key=lambda item: (item[1].at_ms, item[0])):
        results.update(checked.verdicts)
    return results


def _notes(draft: Draft, answers: Sequence[Answer], window: int | None) -> frozenset[Note]:
    found = {
        Note.RETRIES_NOT_LOGGED: True,
        Note.OUTPUT_UNDERREPORTED: any(_underreports(answer.version) for answer in answers),
        Note.OUTPUT_PARTIAL: not all(answer.recorded for answer in answers),
        Note.USAGE_DAMAGED: any(answer.damaged for answer in answers),
        Note.NO_WINDOW: window is None,
        Note.NO_DURATION: draft.work.total == 0,
    }
    return frozenset(note for note, holds in found.items() if holds)


def _version_key(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    return tuple(map(int, found.groups())) if found else ()


def _underreports(version: str) -> bool:
    found = _VERSION.match(version)
    return found is not None and _UNDERREPORTING[0] <= tuple(map(int, found.groups())) <= _UNDERREPORTING[1]


def _call(answer: Answer) -> ModelCall:
    return ModelCall(
        id=answer.id,
        model=answer.model,
        usage=answer.usage,
        at_ms=answer.first_ms,
        subagent=answer.subagent,
        context=_FAST if answer.fast else {},
        partial=not answer.recorded,
        file=answer.file,
        record=f"line {answer.line}",
    )


def _start(draft: Draft) -> int:
    return next((moment for moment in (draft.started_ms, draft.first_ms, draft.ended_ms) if moment is not None), 0)
