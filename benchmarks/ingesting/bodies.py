"""Bodies of batches, made beforehand; only the ids are put in when one is sent, so that a generator costs next to nothing."""

from __future__ import annotations

import itertools
import json
import os
import random
import time

from mosaic_telemetry.schema import Complexity, Outcome, TaskType

MODELS = [(f"model-{number:02d}", ("anthropic", "openai", "google")[number % 3]) for number in range(18)]
CELLS = [(task_type.value, complexity.value, *model) for task_type in TaskType for complexity in Complexity for model in MODELS]
"""720 sets of dimensions."""

BATCH = 100
_ID = 36
_MARK = '"event_id":"'
_LANGUAGES = ["python", "typescript", "go", "rust", "java", None]


class Bodies:
    """Batches of 100 different events over 720 cells, each with ids of its own.

    Args:
        instance_id: who reports.
        version: 7 for ids as our SDK makes them (time-ordered), 4 for random ones.
        templates: different batches that are sent in turn.
        seed: of the events.
    """

    def __init__(self, instance_id: str, version: int = 7, templates: int = 64, seed: int = 1) -> None:
        self._version = version
        rng = random.Random(seed)
        cells = itertools.cycle(rng.sample(CELLS, len(CELLS)))
        texts = [_batch(instance_id, [next(cells) for _ in range(BATCH)], rng) for _ in range(templates)]
        self._templates = itertools.cycle([(text.encode(), _places(text)) for text in texts])

    def make(self) -> bytes:
        """A batch that was never sent before."""
        template, places = next(self._templates)
        body = bytearray(template)
        for place, identity in zip(places, self._ids(len(places)), strict=True):
            body[place : place + _ID] = identity
        return bytes(body)

    def _ids(self, count: int) -> list[bytes]:
        """As `mosaic_telemetry.client.ids.uuid7` makes them, a batch at once."""
        noise = os.urandom(15 * count).hex()
        parts = [noise[start : start + 30] for start in range(0, 30 * count, 30)]
        if self._version == 4:
            return [f"{part[:8]}-{part[8:12]}-4{part[12:15]}-a{part[15:18]}-{part[18:]}".encode() for part in parts]
        stamp = f"{time.time_ns() // 1_000_000:012x}"
        head = f"{stamp[:8]}-{stamp[8:]}-7"
        return [f"{head}{part[:3]}-a{part[3:6]}-{part[6:18]}".encode() for part in parts]


def _places(text: str) -> list[int]:
    places = []
    start = text.find(_MARK)
    while start >= 0:
        places.append(start + len(_MARK))
        start = text.find(_MARK, start + 1)
    return places


def _batch(instance_id: str, cells: list[tuple[str, str, str, str]], rng: random.Random) -> str:
    events = [
        {
            "instance_id": instance_id,
            "event_id": "0" * _ID,
            "schema_version": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "task_duration_ms": int(rng.lognormvariate(11, 1)) % 86_400_000,
            "task_type": task_type,
            "complexity": complexity,
            "harness": "claude_code",
            "model": model,
            "provider": provider,
            "estimated_input_tokens": rng.randrange(1_000, 500_000),
            "estimated_output_tokens": rng.randrange(100, 20_000),
            "actual_input_tokens": min(int(rng.lognormvariate(11.5, 1)), 10_000_000),
            "actual_output_tokens": min(int(rng.lognormvariate(8.5, 1)), 10_000_000),
            "estimated_cost_usd_micros": rng.randrange(10_000, 2_000_000),
            "actual_cost_usd_micros": min(int(rng.lognormvariate(12.5, 1)), 100_000_000),
            "quality_gate_passed": rng.random() < 0.8,
            "quality_gates_run": ["build", "lint", "test"],
            "quality_gates_failed": rng.choice([[], [], [], ["test"], ["lint"]]),
            "context_compactions": rng.randrange(3),
            "context_rotations": rng.randrange(2),
            "context_utilization_final": round(rng.random(), 3),
            "outcome": rng.choices([outcome.value for outcome in Outcome], [8, 1, 1, 1])[0],
            "retry_count": rng.randrange(3),
            "language": rng.choice(_LANGUAGES),
            "repo_size_category": "medium",
        }
        for task_type, complexity, model, provider in cells
    ]
    return json.dumps({"events": events}, separators=(",", ":"))
