"""How good is a server's own record, from its first task on?

Each table of `eval_tables.py` is replayed into an empty server of its own, in random order and in portions. Every task is held against the forecast
as it stood before its portion was counted, and what the server makes of that corrects its next forecasts: as in real work, nothing is learned beforehand.

    python benchmarks/prequential.py tables/openhands.jsonl.gz tables/claude_code_turns.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.tables import table

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.forecast import CLASSES, TARGETS
from mosaic_telemetry.schema import TaskCompletionEvent, ValidationError, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

_KIND = ("task_type", "complexity", "model", "provider")


def main() -> None:
    """Print the share of tasks from p10 to p90, of all and by how many of exactly their kind were known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path, help="JSON Lines, gzipped")
    parser.add_argument("--most", type=int, default=6000, help="tasks of a table")
    parser.add_argument("--portion", type=int, default=500, help="tasks that are counted together")
    given = parser.parse_args()
    rows = [row for path in given.tables for row in replayed(path, given.most, given.portion)]
    print(table(["table", "target", "tasks", "within p10 to p90", *(f"n {size}" for size in CLASSES)], rows))


def replayed(path: Path, most: int, portion: int) -> Iterator[list[str]]:
    """The rows of one table, of the targets that it has."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        tasks = [json.loads(line) for line in file]
    random.Random(1).shuffle(tasks)
    tasks = tasks[:most]
    with tempfile.TemporaryDirectory() as folder, open_engine(Path(folder) / "telemetry.db", keep=False) as engine:
        instance = engine.authenticate(engine.create_instance("replay").api_key)
        assert instance is not None
        for start in range(0, len(tasks), portion):
            some = tasks[start : start + portion]
            for first in range(0, len(some), 100):
                engine.ingest(instance, list(_events(some[first : first + 100], str(instance.instance_id))))
            engine.roll_up()
        scores = engine.accuracy()["targets"]
    for target in TARGETS:
        if target in tasks[0]:
            score = scores[target]
            sizes = [score["by_sample_size"].get(size) for size in CLASSES]
            shares = [f"{one['coverage']:.0%}" if one else "-" for one in sizes]
            yield [path.name.partition(".")[0], target, f"{score['forecasts']:,}", f"{score['coverage']:.1%}", *shares]


def _events(tasks: Sequence[Mapping[str, Any]], instance_id: str) -> Iterator[TaskCompletionEvent]:
    """The events of tasks; the few are left out that took more than an event can say."""
    for task in tasks:
        values = {name: task[name] for name in (*_KIND, *TARGETS) if name in task}
        with suppress(ValidationError):
            yield from_dict(TaskCompletionEvent, {**EXAMPLES["TaskCompletionEvent"], **values, "instance_id": instance_id, "event_id": str(uuid4())})


if __name__ == "__main__":
    main()
