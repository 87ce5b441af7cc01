"""From the turns of all files to finished tasks: copies become one, subagents join their task, each call counts once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mosaic_telemetry.collectors.kinds import Work, complexity_of, type_of
from mosaic_telemetry.collectors.languages import main_language
from mosaic_telemetry.collectors.outcomes import Ending, outcome_of
from mosaic_telemetry.collectors.turns import Turn, fuller
from mosaic_telemetry.collectors.values import Collection, Evidence, ModelCall, Note, Task, Totals, Waiting
from mosaic_telemetry.pricing import context_window
from mosaic_telemetry.schema import Harness, Provider

__all__ = ["FINISHED_BY", "MEASURED", "OBSERVED", "QUIET_MS", "SETTLED_MS", "UTILIZED", "WORKED", "assemble_turns", "main_model"]

QUIET_MS = 3_600_000
"""A task that is neither followed nor closed counts as finished when nothing was written for an hour."""

SETTLED_MS = 900_000
"""One whose last record looks like its end does so after a quarter of an hour: tools work for ten minutes at most."""

# How the audit words the rules.
FINISHED_BY = {
    (True, True): "finished: another prompt followed",
    (True, False): "finished: another prompt followed",
    (False, True): "finished: a record says that the agent was done or was stopped",
    (False, False): "finished: nothing was written for an hour",
}
_SETTLED = "finished: the agent's last word, and nothing was written for a quarter of an hour"
MEASURED = "time at work: as the harness measured it, and no more than the records show"
WORKED = "time at work: the times between records in which a model or a tool worked, side by side counted once"
UTILIZED = "input of the agent's last call, as a share of the model's context window"
OBSERVED = "the last command whose exit status or summary shows this gate's result"


def assemble_turns(turns: Iterable[Turn], harness: Harness, *, now_ms: int, files: int, skipped: int) -> Collection:
    """The tasks in `turns`, and what was used outside of any.

    Args:
        turns: of all files, in any order.
        harness: whose they are.
        now_ms: milliseconds since 1970, to tell which task is finished.
        files: files read, for the record.
        skipped: lines and files that could not be used, for the record.
    """
    chosen, loose = _chosen(turns)
    owners = _owners(chosen, loose)
    calls: dict[str, list[ModelCall]] = defaultdict(list)
    totals: dict[str, Totals] = {}
    outside: list[ModelCall] = []
    seen: set[str] = set()
    for turn in [*chosen, *loose]:
        owner = owners.get(id(turn))
        for call in turn.calls.values():
            if call.id in seen:
                continue
            seen.add(call.id)
            counted = replace(call, subagent=call.subagent or (owner is not None and owner is not turn), file=turn.file)
            session = (owner or turn).session
            totals[session] = totals.get(session, Totals()).with_call(counted)
            if owner is None:
                outside.append(counted)
            else:
                calls[owner.key].append(counted)
    parts: dict[str, list[Turn]] = defaultdict(list)
    for turn in [*chosen, *loose]:
        owner = owners.get(id(turn))
        if owner is not None and owner is not turn:
            parts[owner.key].append(turn)
    finished: list[Task] = []
    waiting: list[Waiting] = []
    for turn in chosen:
        if owners.get(id(turn)) is not turn or not calls[turn.key] or turn.ended_ms is None:
            continue  # a part of another, a prompt that no model answered, or one without any time
        due = _due_ms(turn, parts[turn.key])
        if due is None or now_ms >= due:
            finished.append(_task(turn, parts[turn.key], calls[turn.key], harness))
        else:
            waiting.append(Waiting(_files([turn, *parts[turn.key]], calls[turn.key]), due))
    finished.sort(key=lambda task: (task.started_ms, task.identity))
    return Collection(tasks=finished, waiting=waiting, files=files, skipped=skipped, totals=totals, outside=outside)


def _chosen(turns: Iterable[Turn]) -> tuple[list[Turn], list[Turn]]:
    """Of each turn its fullest record, oldest first; and what has no prompt."""
    by_key: dict[str, Turn] = {}
    loose: list[Turn] = []
    for turn in turns:
        if not turn.key:
            loose.append(turn)
        else:
            by_key[turn.key] = fuller(by_key[turn.key], turn) if turn.key in by_key else turn
    return sorted(by_key.values(), key=_when), sorted(loose, key=lambda turn: (_when(turn), turn.session, sorted(turn.calls)))


def _owners(chosen: Sequence[Turn], loose: Sequence[Turn]) -> dict[int, Turn]:
    """The task of each turn: itself, or that which a subagent worked for; nothing for what belongs to no task."""
    by_key = {turn.key: turn for turn in chosen}
    by_session: dict[str, list[Turn]] = defaultdict(list)
    for turn in chosen:
        by_session[turn.session].append(turn)

    def above(turn: Turn) -> Turn | None:
        if turn.parent in by_key:
            return by_key[turn.parent]
        start = turn.started_ms or 0
        return next((one for one in reversed(by_session.get(turn.parent_session, ())) if (one.started_ms or 0) <= start), None)

    owners: dict[int, Turn] = {}
    for turn in [*chosen, *loose]:
        top, steps = turn, 0
        while (top.parent or top.parent_session) and steps < 10 and (higher := above(top)) is not None and higher is not turn:
            top, steps = higher, steps + 1
        if top.key and (top is turn or not (top.parent or top.parent_session)):
            # A subagent whose starter is not there is a task of its own no more than an answer without a prompt.
            if top is turn and (turn.parent or turn.parent_session):
                continue
            owners[id(turn)] = top
    return owners


def _due_ms(turn: Turn, parts: Sequence[Turn]) -> int | None:
    """When it counts as finished if nothing more is written; None where it is."""
    if turn.followed or turn.closed:
        return None
    return max([turn.ended_ms or 0, *(part.ended_ms or 0 for part in parts)]) + (SETTLED_MS if turn.settled else QUIET_MS)


def _files(turns: Iterable[Turn], calls: Iterable[ModelCall]) -> frozenset[Path]:
    return frozenset(file for file in (*(turn.file for turn in turns), *(call.file for call in calls)) if file is not None)


def _task(turn: Turn, parts: Sequence[Turn], found: Sequence[ModelCall], harness: Harness) -> Task:
    calls = sorted(found, key=lambda call: (call.at_ms or 0, call.id))
    own = [call for call in calls if not call.subagent] or calls
    model = main_model(own)
    last = own[-1]
    providers: dict[str, Provider] = {}
    windows: dict[str, int] = {}
    whole = Turn(key=turn.key, session=turn.session)
    for one in [*parts, turn]:
        providers |= one.providers
        windows |= one.windows
        whole.work.update(one.work)
        whole.checks |= one.checks
        for name in ("edited", "created", "read", "named", "tool_calls", "notes"):
            getattr(whole, name).update(getattr(one, name))
    window = windows.get(last.model) or context_window(last.model)
    work = Work(edited=whole.edited, created=whole.created, read=whole.read, tool_calls=len(whole.tool_calls), planned=turn.planned)
    gates = whole.gates
    active = turn.active_ms if turn.measured_ms is not None else whole.work.total
    notes = {Note.RETRIES_NOT_LOGGED, *whole.notes}
    notes |= {Note.NO_WINDOW} if window is None else set()
    notes |= {Note.NO_DURATION} if active == 0 else set()
    notes |= {Note.OUTPUT_PARTIAL} if any(call.partial for call in calls) else set()
    return Task(
        identity=turn.key,
        harness=harness,
        session=turn.session,
        started_ms=_when(turn)[0],
        ended_ms=turn.ended_ms or _when(turn)[0],
        active_ms=active,
        calls=tuple(calls),
        model=model,
        provider=providers.get(model, Provider.UNKNOWN),
        task_type=type_of(turn.asked, work),
        complexity=complexity_of(work),
        gates=gates,
        outcome=outcome_of(turn.last[2] or Ending.STOPPED, gates),
        compactions=len(turn.compactions),
        context_utilization=min(1.0, last.usage.input / window) if window else 0.0,
        language=main_language(whole.edited, whole.read, whole.named),
        notes=frozenset(notes),
        folder=turn.folder,
        evidence=_evidence(turn, whole, window),
        files=_files([turn, *parts], calls),
        version=turn.version,
        shared=_shared(turn, own[0]) if turn.telemetered else "",
    )


def _shared(turn: Turn, first: ModelCall) -> str:
    """A task by its session and what the first answer took, for want of an id in both log and telemetry: a context grows with each task."""
    usage = first.usage
    return f"{turn.session} {usage.uncached_input} {usage.cache_read} {usage.cache_write} {usage.output}"


def _evidence(turn: Turn, whole: Turn, window: int | None) -> dict[str, Evidence]:
    """Where the numbers come from that are no sums over the calls."""
    measured = turn.measured_ms is not None
    finished_by = _SETTLED if turn.settled and not turn.followed and not turn.closed else FINISHED_BY[turn.followed, turn.closed]
    found = {
        "task": Evidence(finished_by, turn.file, (turn.prompted,) if turn.prompted else ()),
        "task_duration_ms": Evidence(MEASURED if measured else WORKED, turn.file),
        "context_utilization_final": Evidence(UTILIZED if window else "the model's context window is not known", turn.file),
        "context_compactions": Evidence("each compaction within the task", turn.file, tuple(sorted(whole.compactions))),
    }
    for use, check in sorted(whole.checks.items(), key=lambda item: (item[1].at, item[0])):
        for gate in check.verdicts:
            found[f"quality_gates.{gate}"] = Evidence(OBSERVED, turn.file, (f"tool call {use}",))
    return found


def main_model(calls: Sequence[ModelCall]) -> str:
    """The model that wrote most of the output; of two that wrote as much, the first by name."""
    output: Counter[str] = Counter()
    for call in calls:
        output[call.model] += call.usage.output
    return min(output, key=lambda model: (-output[model], model))


def _when(turn: Turn) -> tuple[int, str]:
    return (next((moment for moment in (turn.started_ms, turn.ended_ms) if moment is not None), 0), turn.key)
