"""Does a batch of 50 predictions take longer when the server knows more? The p50 at a million events beside that at ten thousand.

    .venv/bin/python benchmarks/latency.py [EVENTS ...]

One thread, SQLite in a temporary folder, no HTTP, no cache of answers; 20 models, ten kinds of work, all of it counted before. The databases are
asked in turns, so that none has the machine at a better moment. Each is asked as it is, and as if its cells had just changed: all is read anew then.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import numpy as np
from eval_batch import event, kind

from mosaic_telemetry.engine import Engine, open_engine
from mosaic_telemetry.engine.predict import predict
from mosaic_telemetry.engine.store import StoredEvent
from mosaic_telemetry.engine.store.sqlite import SqliteStore
from mosaic_telemetry.schema import PredictionQuery

MODELS, BATCHES, AT_ONCE = 20, 300, 5000


def fill(folder: str, events: int) -> Path:
    """A database of so many events, none of which is the same."""
    path = Path(folder) / f"{events}.db"
    rng = np.random.default_rng(1)
    with open_engine(path, keep=False) as engine:
        number = engine.local_instance().number
    store = SqliteStore(path)
    pool = [event(rng, MODELS, uuid4()) for _ in range(10_000)]
    now = int(time.time() * 1000)
    for start in range(0, events, AT_ONCE):
        store.insert(number, now, [StoredEvent(uuid4().bytes, now, pool[place % len(pool)]) for place in range(start, min(start + AT_ONCE, events))]).result()
    store.close()
    return path


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [10_000, 1_000_000]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        engines: dict[int, Engine] = {}
        for size in sizes:
            engines[size] = stack.enter_context(open_engine(fill(folder, size)))
            engines[size].roll_up()
        rng = np.random.default_rng(2)
        queries = [PredictionQuery(**kind(rng, MODELS)) for _ in range(50)]
        times: dict[tuple[int, str], list[float]] = {(size, how): [] for size in sizes for how in ("unchanged", "read anew")}
        today = int(time.time()) // 86_400
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)  # as the server does
        for _ in range(BATCHES):
            for size, engine in engines.items():
                started = time.perf_counter()
                engine.predict(queries)
                between = time.perf_counter()
                predict(queries, engine.find_cells, today)
                times[size, "unchanged"].append((between - started) * 1000)
                times[size, "read anew"].append((time.perf_counter() - between) * 1000)
        for (size, how), found in times.items():
            p50, p99, first = statistics.median(found), sorted(found)[BATCHES * 99 // 100], statistics.median(times[sizes[0], how])
            print(f"{size:>10,} events, {how}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, p50 {p50 / first:.2f} times that of {sizes[0]:,}")


if __name__ == "__main__":
    main()
