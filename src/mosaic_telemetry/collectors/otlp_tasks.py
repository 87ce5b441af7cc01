"""From the facts of a session's OpenTelemetry to its tasks.

A task goes from a prompt to the last fact before the next; what subagents do for it belongs to it. Each request counts once, by its
id. A task is finished when a later prompt follows in its session, or when nothing more has come for a while; the caller knows when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from mosaic_telemetry.collectors.assembling import assemble_turns
from mosaic_telemetry.collectors.claude_code.serving import window_of
from mosaic_telemetry.collectors.otlp import Fact
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.serving import provider_named, provider_of_model
from mosaic_telemetry.collectors.turns import Check, Turn
from mosaic_telemetry.collectors.values import ModelCall, Task
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import Harness, QualityGate, TaskType

__all__ = ["group_facts", "sessions_above", "tasks_of"]

_OF = {"claude-code": Harness.CLAUDE_CODE}
_ASKED = frozenset({"command", "prompt"})
_TOLD = _ASKED | {"sent"}


def group_facts(facts: Iterable[Fact], above: Mapping[str, str] = MappingProxyType({})) -> list[list[Fact]]:
    """The facts of sessions and of their subagents' sessions, each prompt's by itself, in order of time; those before any prompt are left out.

    Facts that name their prompt go with it; others go with the last prompt before them. A subagent's go with what the agent above it
    worked on when the subagent was last told what to do.

    Args:
        facts: in any order.
        above: what facts that are not among these told of subagents, as `sessions_above` gives it.
    """
    facts = list(facts)
    families = {**sessions_above(facts), **above}
    ordered = sorted({(fact.session, fact.id): fact for fact in facts}.values(), key=lambda fact: (fact.at_ms, fact.kind not in _ASKED, fact.id))
    groups: dict[str, list[Fact]] = {}
    current: dict[str, str] = {}  # by session, the prompt that is worked on
    start: dict[str, Fact] = {}
    for fact in ordered:
        higher = families.get(fact.session, "")
        if fact.kind == "start":
            start[fact.session] = fact
            continue
        if higher:
            if fact.kind in _TOLD:
                current[fact.session] = current.get(higher, "")
            if fact.kind not in _TOLD and (key := current.get(fact.session, "")) in groups:
                groups[key].append(replace(fact, aside=True))
            continue
        if fact.kind in _ASKED:
            current[fact.session] = fact.prompt or f"{fact.session} {fact.at_ms}"
        key = fact.prompt or current.get(fact.session, "")
        if key and fact.kind != "sent":
            groups.setdefault(key, [start[fact.session]] if fact.session in start else []).append(fact)
    return sorted(groups.values(), key=lambda group: group[-1].at_ms)


def sessions_above(facts: Iterable[Fact]) -> dict[str, str]:
    """By a subagent's session, that of the agent which started it, or `unknown`."""
    found: dict[str, str] = {}
    for fact in facts:
        if fact.above and found.get(fact.session, "unknown") == "unknown":
            found[fact.session] = fact.above
    return found


def tasks_of(group: Sequence[Fact], now_ms: int) -> Sequence[Task]:
    """The task of one prompt's facts; none where no model answered, or where the prompt was a command to the harness itself."""
    begun = next((fact for fact in group if fact.kind != "start"), None)
    if begun is None or any(fact.kind == "command" for fact in group):
        return ()
    turn = Turn(key=f"otlp {begun.harness} {begun.session} {begun.prompt or begun.at_ms}", session=begun.session)
    turn.telemetered = begun.harness != "claude-code"  # which gives each prompt an id, and writes that in its log as well
    provider = next((fact.provider for fact in group if fact.kind == "start"), "")
    largest = max((fact.uncached + fact.cache_read + fact.cache_write for fact in group if not fact.aside), default=0)
    turn.started_ms = begun.at_ms - begun.took_ms
    for line, fact in enumerate(group):
        if fact.kind == "start":
            continue
        own = fact.session == begun.session
        if own:
            turn.ended_ms = max(turn.ended_ms or 0, fact.at_ms)
        turn.work.add(fact.at_ms - fact.took_ms, fact.at_ms)
        turn.asked = TaskType(fact.asked) if fact.kind == "prompt" else turn.asked
        turn.edited |= set(fact.edited)
        turn.read |= set(fact.read)
        if fact.kind == "tool":
            turn.tool_calls.add(fact.id)
            if fact.gates:
                turn.checks[fact.id] = Check((fact.at_ms, line), {QualityGate(gate): passed for gate, passed in fact.gates.items()})
        elif fact.kind == "request":
            _add_request(turn, fact, provider, largest)
        if own and fact.kind in {"request", "error"}:
            turn.last = (fact.at_ms, line, Ending.WORD if fact.kind == "request" else Ending.ERROR)
    turn.closed = True
    found = assemble_turns([turn], _OF.get(begun.harness, Harness.CUSTOM), now_ms=now_ms, files=0, skipped=0).tasks
    return found if turn.telemetered else [replace(task, shared=begun.prompt) for task in found]


def _add_request(turn: Turn, fact: Fact, provider: str, largest: int) -> None:
    model = fact.model or "unknown"
    named = provider_named(fact.provider or provider)
    turn.providers[model] = named if fact.provider or provider else provider_of_model(model)
    if fact.harness == "claude-code" and (window := window_of(model, largest)):
        turn.windows[model] = window
    usage = TokenUsage(uncached_input=fact.uncached, cache_read=fact.cache_read, cache_write_5m=fact.cache_write, output=fact.output)
    said = Decimal(fact.micros) / 1_000_000 if fact.micros else None
    # How long a cache write is kept is not told, and decides on its price: there the harness knows better.
    call = ModelCall(
        id=fact.id, model=model, usage=usage, at_ms=fact.at_ms, subagent=fact.aside, reported_usd=said, unsplit=said is not None and fact.cache_write > 0
    )
    turn.add_call(call)
