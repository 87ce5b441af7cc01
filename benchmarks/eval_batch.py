"""How long does a batch of 50 predictions take, where cells are thin (all levels are read and pooled) and where they are not?

    .venv/bin/python benchmarks/eval_batch.py

One thread, SQLite in a temporary folder, no HTTP. Whether the number of events matters is seen by comparing the lines.
"""

import statistics
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import numpy as np

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import Complexity, PredictionQuery, Provider, TaskCompletionEvent, TaskType, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

BATCHES = 200


def main() -> None:
    for events, models in ((2_000, 60), (10_000, 20), (100_000, 20)):
        with tempfile.TemporaryDirectory() as folder, open_engine(Path(folder) / "telemetry.db") as engine:
            rng = np.random.default_rng(1)
            instance = engine.local_instance()
            for start in range(0, events, 2000):
                engine.ingest(instance, [event(rng, models, instance.instance_id) for _ in range(min(2000, events - start))])
            engine.roll_up()
            queries = [PredictionQuery(**kind(rng, models)) for _ in range(50)]
            times = []
            for _ in range(BATCHES):
                started = time.perf_counter()
                answers = engine.predict(queries)
                times.append((time.perf_counter() - started) * 1000)
            exact = statistics.median(answer.metadata.sample_size for answer in answers)
            p95 = sorted(times)[BATCHES * 95 // 100]
            print(f"{events:>9,} events, {exact:>5.0f} in the answering cell: p50 {statistics.median(times):.2f} ms, p95 {p95:.2f} ms")


def kind(rng: np.random.Generator, models: int) -> dict:
    """The four dimensions of a task; half of all tasks are of one kind of work, as on a real server."""
    return {
        "task_type": TaskType.DEBUGGING if rng.random() < 0.5 else list(TaskType)[rng.integers(len(TaskType))],
        "model": f"model-{rng.integers(models)}",
        "provider": Provider.ANTHROPIC,
        "complexity": Complexity.MEDIUM,
    }


def event(rng: np.random.Generator, models: int, instance_id: object) -> TaskCompletionEvent:
    amounts = {
        "actual_input_tokens": int(min(rng.lognormal(11, 1), 1e7)),
        "actual_output_tokens": int(rng.lognormal(8, 1)),
        "actual_cost_usd_micros": int(min(rng.lognormal(12, 1), 1e8)),
        "task_duration_ms": int(min(rng.lognormal(11, 1), 8e7)),
    }
    return from_dict(
        TaskCompletionEvent, {**EXAMPLES["TaskCompletionEvent"], **kind(rng, models), **amounts, "event_id": str(uuid4()), "instance_id": str(instance_id)}
    )


if __name__ == "__main__":
    main()
