"""Where each number of an event comes from: the files, the records in them, and the rule; and what is to be known about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mosaic_telemetry.collectors.events import Converted
from mosaic_telemetry.collectors.values import Collection, ModelCall, Note, Task, Totals
from mosaic_telemetry.pricing import PriceList, PriceSource, TokenUsage
from mosaic_telemetry.schema import to_dict

__all__ = ["audit_of", "flags_of", "sessions_of"]

_FLAGS = {
    Note.OUTPUT_UNDERREPORTED: "output_tokens_unreliable",
    Note.OUTPUT_PARTIAL: "output_tokens_unreliable",
    Note.USAGE_DAMAGED: "tokens_unreliable",
    Note.ROUNDED: "tokens_unreliable",
    Note.NO_WINDOW: "no_context_window",
    Note.NO_DURATION: "no_duration",
    Note.NO_TIME: "no_time",
    Note.RETRIES_NOT_LOGGED: "retries_not_logged",
}
_INPUT = "uncached input + cache reads + cache writes of each call, each answer counted once by its id"
_OUTPUT = "output of each call, reasoning included, each answer counted once by its id"
_SOURCES = {
    PriceSource.PRICED: "each call by its own price at its time, then the sum",
    PriceSource.REPORTED: "as the harness wrote it down",
    PriceSource.SUBSCRIPTION: "covered by a plan; what the list would ask, each call by its own price",
    PriceSource.UNKNOWN: "not known: some call has no price, and 0 stands for that",
}
_RULES = {
    "timestamp": "the last record of the task",
    "task_type": "what the first prompt asks for, else the kinds of the files changed",
    "complexity": "number of files changed and of tool calls",
    "model": "the model that wrote most of the output, subagents apart",
    "provider": "who served that model",
    "outcome": "the task's end and the last results of its gates",
    "language": "that of most files changed, else read, else named in commands, else tracked by git in the working folder",
    "repo_size_category": "lines in the files of programming languages that git tracks in the working folder, today",
}
_NOT_LOGGED = {
    "context_rotations": "0: no log tells it",
    "retry_count": "0: no log tells it",
}
_PREDICTED = ("estimated_input_tokens", "estimated_output_tokens", "estimated_cost_usd_micros")


def flags_of(task: Task, converted: Converted) -> dict[str, str]:
    """By name, what is to be known about the quality of a task's numbers, in words."""
    found = {_FLAGS[note]: note.value for note in sorted(task.notes)}
    if converted.price.usd is None:
        found["no_price"] = "the price of some model call is not known"
    found |= {f"clamped_{name}": "the true value is above the bound of an event's field and was cut to it" for name in converted.clamped}
    return found


def audit_of(task: Task, converted: Converted, prices: PriceList | None = None) -> dict[str, Any]:
    """A task's numbers as JSON values, each with its file, its records and its rule; then the model calls behind them."""
    event = to_dict(converted.event)
    records = _records(task.calls)
    usage = task.usage
    true = {
        "actual_input_tokens": usage.input,
        "actual_output_tokens": usage.output,
        "actual_cost_usd_micros": converted.price.micros,
        "task_duration_ms": task.active_ms,
        "context_compactions": task.compactions,
    }
    numbers: dict[str, Any] = {
        "actual_input_tokens": {"rule": _INPUT, "records": records},
        "actual_output_tokens": {"rule": _OUTPUT, "records": records},
        "actual_cost_usd_micros": {
            "rule": _SOURCES[converted.price.source],
            "source": converted.price.source.value,
            "price_list": converted.price.origin or None,
            "records": records,
        },
    }
    for name in ("task_duration_ms", "context_compactions", "context_utilization_final"):
        evidence = task.evidence.get(name)
        numbers[name] = {"rule": evidence.rule if evidence else "", "records": _where(evidence.file, evidence.records) if evidence else []}
    gates = {}
    for gate, passed in sorted(task.gates.items()):
        evidence = task.evidence.get(f"quality_gates.{gate}")
        gates[gate.value] = {
            "passed": passed,
            "rule": evidence.rule if evidence else "",
            "records": _where(evidence.file, evidence.records) if evidence else [],
        }
    numbers |= {name: {"rule": rule, "records": []} for name, rule in {**_RULES, **_NOT_LOGGED}.items()}
    numbers |= {name: {"rule": converted.estimated or "0: no prediction from before the task is known", "records": []} for name in _PREDICTED}
    prompt = task.evidence.get("task")
    return {
        "event_id": converted.event.event_id,
        "session": task.session,
        "reliable": not task.unreliable,
        "flags": flags_of(task, converted),
        "task": {"rule": prompt.rule if prompt else "", "records": _where(prompt.file, prompt.records) if prompt else []},
        "files": sorted(map(str, task.files)),
        "numbers": {name: {"value": event[name], **({"true_value": true[name]} if name in true else {}), **numbers[name]} for name in numbers},
        "quality_gates": gates,
        "calls": [_call(call, task, prices) for call in task.calls],
    }


def sessions_of(collection: Collection) -> dict[str, dict[str, Any]]:
    """By session, all that its calls used, inside tasks and outside, reliable or not, before anything is cut to a bound or left out."""
    return {session: _session(totals) for session, totals in sorted(collection.totals.items())}


def _session(totals: Totals) -> dict[str, Any]:
    # What only a subagent's progress tells is no whole answer: it stands apart.
    return {"calls": totals.calls, **_tokens(totals.recorded), "begun_only": _tokens(totals.partial)}


def _tokens(usage: TokenUsage) -> dict[str, int]:
    return {
        "input_tokens": usage.input,
        "uncached_input_tokens": usage.uncached_input,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "output_tokens": usage.output,
    }


def _call(call: ModelCall, task: Task, prices: PriceList | None) -> dict[str, Any]:
    price = call.price(prices, task.provider)
    return {
        "id": call.id,
        "file": None if call.file is None else str(call.file),
        "record": call.record,
        "model": call.model,
        "subagent": call.subagent,
        "begun_only": call.partial,
        **_tokens(call.usage),
        "cost_usd": None if price.usd is None else str(price.usd),
        "cost_source": price.source.value,
        "price_list": price.origin or None,
    }


def _records(calls: Sequence[ModelCall]) -> list[dict[str, Any]]:
    """By file, the records of model calls."""
    by_file: dict[str, list[str]] = {}
    for call in calls:
        by_file.setdefault("" if call.file is None else str(call.file), []).append(call.record)
    return [{"file": file, "records": list(Counter(records))} for file, records in by_file.items()]


def _where(file: object, records: Iterable[str]) -> list[Mapping[str, Any]]:
    found = list(records)
    return [{"file": str(file), "records": found}] if file is not None and found else []
