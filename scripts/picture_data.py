"""Tasks of an invented team, always the same but for their days: what the pictures of the documents show."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mosaic_telemetry.engine import Engine, Instance, open_engine
from mosaic_telemetry.schema import TaskCompletionEvent, encode_event, from_dict

__all__ = ["fill"]

_DAYS = 150
_INSTANCES = (("ana's laptop", 0.4), ("build server", 0.35), ("review bot", 0.25))


@dataclass(frozen=True, slots=True)
class Model:
    """A model: who serves it, in which harness, what a million tokens cost in dollars, and how often it succeeds."""

    name: str
    provider: str
    harness: str
    share: float
    dollars: float
    success: float


_MODELS = (
    Model("claude-sonnet-4-5", "anthropic", "claude_code", 0.42, 0.9, 0.83),
    Model("claude-opus-4-5", "anthropic", "claude_code", 0.13, 1.9, 0.91),
    Model("gpt-5.2-codex", "openai", "custom", 0.24, 0.62, 0.79),
    Model("gemini-3-pro", "google", "custom", 0.14, 0.55, 0.72),
    Model("qwen3-coder", "ollama", "ollama_local", 0.07, 0.0, 0.55),
)
_TYPES = {
    "implementation": (0.36, 1.6),
    "debugging": (0.24, 1.2),
    "testing": (0.14, 0.8),
    "refactoring": (0.12, 1.3),
    "documentation": (0.08, 0.4),
    "code_review": (0.06, 0.6),
}
_SIZES = {"low": (0.45, 60_000), "medium": (0.38, 220_000), "high": (0.17, 900_000)}
_GATES = ("build", "lint", "test", "typecheck")


def fill(database: Path, now: datetime) -> None:
    """Make a database of five months, each day's tasks counted before the next come, so that forecasts were made of what was known then."""
    rng = random.Random(7)
    clock = [0.0]
    with open_engine(database, make_directory=True, now=lambda: clock[0], keep=False) as engine:
        start = now - timedelta(days=_DAYS)
        clock[0] = start.timestamp()
        instances = [engine.accounts.instance(engine.create_instance(name).instance_id) for name, _ in _INSTANCES]
        for day in range(_DAYS + 1):
            moment = start + timedelta(days=day)
            clock[0] = moment.timestamp()
            for instance, (_, share) in zip(instances, _INSTANCES, strict=True):
                _report(engine, instance, list(_tasks(rng, instance, moment, _many(rng, moment, day, share))), rng)
            engine.roll_up()


def _many(rng: random.Random, moment: datetime, day: int, share: float) -> int:
    """How many tasks end on a day: fewer at week-ends, more as the team gets used to it."""
    usual = (14 if moment.weekday() >= 5 else 70) * (0.5 + day / _DAYS)
    return round(usual * share * rng.uniform(0.8, 1.2))


def _tasks(rng: random.Random, instance: Instance, moment: datetime, count: int) -> Iterator[TaskCompletionEvent]:
    for _ in range(count):
        model = rng.choices(_MODELS, [one.share for one in _MODELS])[0]
        task_type = rng.choices(list(_TYPES), [share for share, _ in _TYPES.values()])[0]
        complexity = rng.choices(list(_SIZES), [share for share, _ in _SIZES.values()])[0]
        usual = _SIZES[complexity][1] * _TYPES[task_type][1]
        read = int(min(usual * rng.lognormvariate(0, 0.75), 9_000_000))
        written = int(read * 0.03 * rng.lognormvariate(0, 0.4)) + 200
        works = rng.random() < model.success - (0.1 if complexity == "high" else 0)
        run = list(_GATES[: rng.randint(1, 4)])
        ended = min(moment, moment - timedelta(minutes=rng.uniform(0, 600)))
        yield from_dict(
            TaskCompletionEvent,
            {
                "instance_id": str(instance.instance_id),
                "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                "schema_version": "1.0",
                "timestamp": ended.astimezone(UTC).isoformat(timespec="milliseconds"),
                "task_duration_ms": int(min(4_000 * math.sqrt(read / 1000) * rng.lognormvariate(0, 0.35), 80_000_000)),
                "task_type": task_type,
                "complexity": complexity,
                "harness": model.harness,
                "model": model.name,
                "provider": model.provider,
                "estimated_input_tokens": int(usual * 0.9),
                "estimated_output_tokens": int(usual * 0.025),
                "actual_input_tokens": read,
                "actual_output_tokens": written,
                "estimated_cost_usd_micros": int(usual * model.dollars),
                "actual_cost_usd_micros": min(int((read + 4 * written) * model.dollars), 99_000_000),
                "quality_gate_passed": works,
                "quality_gates_run": run,
                "quality_gates_failed": [] if works else run[-1:],
                "context_compactions": int(read > 1_500_000),
                "context_rotations": 0,
                "context_utilization_final": round(min(read / 2_000_000, 0.95), 3),
                "outcome": "success" if works else rng.choice(["failure", "failure", "partial", "timeout"]),
                "retry_count": 0,
                "language": rng.choice(["python", "typescript", "go"]),
                "repo_size_category": "medium",
            },
        )


def _report(engine: Engine, instance: Instance, events: list[TaskCompletionEvent], rng: random.Random) -> None:
    """Ingest; now and then something is sent again, or is not as it should be."""
    if not events:
        return
    for start in range(0, len(events), 100):
        body = b",".join(map(encode_event, events[start : start + 100]))
        engine.submit(instance, b'{"events":[' + body + b"]}").stored.result()
    odd = [encode_event(event) for event in events[:2] if rng.random() < 0.3]
    odd += [encode_event(event).replace(b'"retry_count":0', b'"retry_count":99') for event in events[:1] if rng.random() < 0.15]
    if odd:
        engine.submit(instance, b'{"events":[' + b",".join(odd) + b"]}").stored.result()
