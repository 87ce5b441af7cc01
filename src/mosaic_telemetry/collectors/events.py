"""From a task to the event that is sent."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mosaic_telemetry.client.ids import uuid7
from mosaic_telemetry.collectors.repository import Repository
from mosaic_telemetry.collectors.values import Task
from mosaic_telemetry.pricing import Price, PriceList
from mosaic_telemetry.schema import MAX_COST_MICROS, MAX_DURATION_MS, MAX_TOKENS, TaskCompletionEvent, from_dict

__all__ = ["Converted", "event_id", "to_event"]

_MAX_COMPACTIONS = 100
_LONGEST_MODEL = 100
_GRID_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Converted:
    """An event and what it does not show.

    Attributes:
        event: the event.
        clamped: names of its fields whose true value lies above the contract's bound and was cut to it.
        price: what the task cost, unclamped, and where that figure comes from.
        estimated: where its estimates come from, in words; empty where there are none.
    """

    event: TaskCompletionEvent
    clamped: tuple[str, ...]
    price: Price
    estimated: str = ""


def event_id(task: Task) -> str:
    """The task's id as a UUID of version 7: time bits from its start, random bits from a SHA-256 of what identifies it.

    So a task has the same id whenever it is collected, which is how the server knows it again, and ids stay ordered by time.

    Log and telemetry of a harness write down the same prompt some milliseconds apart. Where the task is told in both, the time bits
    are therefore those of the nearest point of a grid of whole days, whose place the digest decides: the two ids differ only if a point
    halfway between two of the grid lies between the two times, which for times a second apart is one task in 86,400.
    """
    told = "\n".join((task.harness, "shared", task.shared) if task.shared else (task.harness, task.identity))
    digest = hashlib.sha256(told.encode("utf-8", "replace")).digest()
    began = task.started_ms
    if task.shared:
        place = int.from_bytes(digest[10:16]) % _GRID_MS
        began = max(0, (began - place + _GRID_MS // 2) // _GRID_MS * _GRID_MS + place)
    return uuid7(began * 1_000_000, digest[:10])


def to_event(task: Task, instance_id: str, prices: PriceList | None = None, repository: Repository | None = None) -> Converted:
    """The event of a task.

    Rotations and retries are 0, since no log tells them, and estimates are 0 until a prediction is known (see `with_estimates`);
    the cost is 0 where it is not known; the cost is that of the true tokens, also where these are clamped.

    Args:
        task: the task.
        instance_id: a UUID: which installation reports.
        prices: the person's own list, which goes before the library's.
        repository: the one that the agent worked in.

    Raises:
        ValidationError: `instance_id` is no UUID.
    """
    clamped: list[str] = []

    def within(name: str, value: int, most: int) -> int:
        if value <= most:
            return value
        clamped.append(name)
        return most

    usage = task.usage
    price = task.price(prices)
    fields: dict[str, Any] = {
        "instance_id": instance_id,
        "event_id": event_id(task),
        "timestamp": _iso(task.ended_ms),
        "task_duration_ms": within("task_duration_ms", task.active_ms, MAX_DURATION_MS),
        "task_type": task.task_type,
        "complexity": task.complexity,
        "harness": task.harness,
        "model": public_model(task.model)[:_LONGEST_MODEL] or "unknown",
        "provider": task.provider,
        "estimated_input_tokens": 0,
        "estimated_output_tokens": 0,
        "actual_input_tokens": within("actual_input_tokens", usage.input, MAX_TOKENS),
        "actual_output_tokens": within("actual_output_tokens", usage.output, MAX_TOKENS),
        "estimated_cost_usd_micros": 0,
        "actual_cost_usd_micros": within("actual_cost_usd_micros", price.micros or 0, MAX_COST_MICROS),
        "quality_gate_passed": all(task.gates.values()),
        "quality_gates_run": sorted(task.gates),
        "quality_gates_failed": sorted(gate for gate, passed in task.gates.items() if not passed),
        "context_compactions": within("context_compactions", task.compactions, _MAX_COMPACTIONS),
        "context_rotations": 0,
        "context_utilization_final": task.context_utilization,
        "outcome": task.outcome,
        "retry_count": 0,
        "language": task.language or (repository.language if repository else None),
        "repo_size_category": repository.size if repository else None,
    }
    return Converted(from_dict(TaskCompletionEvent, fields), tuple(clamped), price)


def public_model(name: str) -> str:
    """A model's name without what would tell of this machine or its owner: the folders of a file, the account of an ARN."""
    if name.lower().startswith("arn:"):
        name = name.rpartition(":")[2].rpartition("/")[2] if "/" in name else name.rpartition(":")[2]
        return "unknown" if name.isdecimal() else name
    if name.startswith(("/", "~", ".", "\\", "file:")) or _DRIVE.match(name):
        return re.split(r"[/\\]", name)[-1]
    return name


_DRIVE = re.compile(r"[A-Za-z]:[/\\]")


def _iso(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"
