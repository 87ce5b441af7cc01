"""What a year of tasks of up to ten million instances comes to: cells, bytes, freshness, and errors of the predictions.

    .venv/bin/python benchmarks/scale_sim.py [--full] [--sample N]

A sample of instances is let work for a year (`scaling/arrival.py`), its tasks counted and predicted by the server's own code, with a
window of 180 days; `--full` takes a larger sample. What is said of more instances than the sample has follows from the assumed world
exactly, as a sum over all cells there can be (`scaling/world.py`); the first table holds both side by side for the sample. The errors
are those of the sample by the events in the exact cell, mixed as often as a task of that many instances finds such a cell. How fast a
keeper counts is measured in the same run, on SQLite on this machine. Every number that is assumed stands in `scaling/world.py`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
from scaling.arrival import FIRST_DAY, WINDOW_DAYS, Arrival, Errors, by_level, errors_of
from scaling.scales import MONTHS, SCALES, Scale, all_scales, behind, cell_sizes, growth, there
from scaling.world import DAY, MONTH, Expected, World
from support.tables import table

from mosaic_telemetry.engine import Admission, open_engine
from mosaic_telemetry.engine.store import StoredEvent
from mosaic_telemetry.engine.store.sqlite import SqliteStore
from mosaic_telemetry.forecast import RECENT
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

_SHARE_BYTES = 70  # a row of four numbers and its index entry, in PostgreSQL
# What benchmarks/ingest.py found on 2 cores on 2026-11-23 (docs/server.md): events stored a second by 2 workers in batches of 100; and
# what benchmarks/stores.py found: bytes of an event, at 10 million of them (docs/stores.md).
_MEASURED = {"SQLite": (69_439, 131), "PostgreSQL": (39_539, 257)}
_CORES = 2
_EVENT_BYTES = _MEASURED["PostgreSQL"][1]
_BATCH = 5  # tasks that a client sends at a time: most send what one run of a harness left

# What is assumed of a rented machine of 2 cores and 8 GB (2026, list prices of the larger European and American hosts lie about these).
_MACHINE_DOLLARS = 40.0  # a month
_DISK_DOLLARS = 0.10  # a GB and month
_REQUESTS = 500.0  # batches a second that one such machine is assumed to take; of 100 events each it was measured to take more


def counting_rate(world: World, events: int, *, public: bool) -> float:
    """Events a second that a keeper counts on SQLite, with everything that belongs to it: cells, shares, totals, scores."""
    arrival = Arrival(world, max(200, events // 200))
    rows = arrival.rows_of(0)[:events]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "telemetry.db"
        admission = Admission(trial_days=0) if public else False
        with open_engine(path, keep=False, admission=admission) as engine:
            numbers = [engine.authenticate(engine.create_instance().api_key) for _ in range(50)]
        store = SqliteStore(path)
        now = int(time.time() * 1000)
        made = [
            from_dict(
                TaskCompletionEvent,
                EXAMPLES["TaskCompletionEvent"]
                | {"task_type": row.task_type, "model": row.model, "provider": row.provider, "complexity": row.complexity}
                | {"actual_cost_usd_micros": min(row.cost_usd_micros, 100_000_000), "event_id": str(uuid4())},
            )
            for row in rows
        ]
        for start in range(0, len(made), 500):
            owner = numbers[rows[start].instance % len(numbers)]
            assert owner is not None
            store.insert(owner.number, now, [StoredEvent(uuid4().bytes, now, one) for one in made[start : start + 500]]).result()
        store.close()
        with open_engine(path, keep=False, admission=admission) as engine:
            began = time.perf_counter()
            engine.roll_up()
            return len(made) / (time.perf_counter() - began)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What a year of tasks comes to.")
    parser.add_argument("--full", action="store_true", help="a sample of 1,500 instances: some minutes")
    parser.add_argument("--sample", type=int, help="instances that are simulated; 150 without --full")
    parser.add_argument("--months", type=int, default=MONTHS, help="months that they work")
    parser.add_argument("--counted", type=int, help="events by which the rate of counting is measured")
    parser.add_argument("--tables", action="store_true", help="only what is worked out: amounts and money")
    given = parser.parse_args(words)
    if given.tables:
        sizes = cell_sizes(World())
        scales = all_scales(World(), sizes)
        print(amounts(scales), grown(World(), sizes), costs(scales[0]), money(scales), sep="\n\n")
        return
    world, sample = World(), given.sample or (1500 if given.full else 150)
    arrival = Arrival(world, sample)
    for _ in range(given.months):
        arrival.pass_month()
    print(f"{sample:,} instances, {given.months} months from day {FIRST_DAY}: {arrival.events:,} tasks\n")
    print(_check(world, arrival, given.months), "\n")
    errors = errors_of(arrival, 1, 20)
    print(_by_size(errors), "\n")
    counted = given.counted or (200_000 if given.full else 20_000)
    rates = {kind: counting_rate(world, counted, public=kind == "public") for kind in ("private", "public")}
    print("a keeper counts " + ", ".join(f"{rate:,.0f} events a second ({kind})" for kind, rate in rates.items()), "\n")
    sizes = cell_sizes(world)
    scales = all_scales(world, sizes)
    print(amounts(scales), "\n")
    print(_freshness(scales, rates, errors), "\n")
    print(grown(world, sizes), "\n")
    print(costs(scales[0]), "\n")
    print(money(scales))


def _check(world: World, arrival: Arrival, months: int) -> str:
    """The sample's cells beside what is expected of so many instances."""
    window = min(months, WINDOW_DAYS // MONTH)
    expected = [there(chance, arrival.instances).sum() for _, chance, _ in Expected(world, window * MONTH, months - window).levels()]
    seen = by_level(arrival.cells)
    rows = [(f"level {level}", f"{seen[level]:,}", f"{number:,.0f}") for level, number in enumerate(expected)]
    return table(["cells", "of the sample", "expected"], [*rows, ("single weeks", f"{seen[RECENT]:,}", "")])


def _by_size(errors: Mapping[tuple[int, int], Errors]) -> str:
    rows = [(_words(size), f"{one.asked:,}", f"x{one.factor:.2f}", f"{one.covered:.0%}") for size, one in errors.items()]
    return table(["events in the exact cell", "predictions", "error of the median", "truth within p10 to p90"], rows)


def amounts(scales: Sequence[Scale]) -> str:
    """Events, cells and shares."""
    rows = [
        (
            f"{one.instances:,}",
            _short(one.a_second),
            _short(one.peak),
            f"{one.cells:,.0f}",
            f"{one.published:,.0f}",
            f"{one.periods:,.0f}",
            f"{one.cell_bytes / 1e6:,.0f} MB",
            _short(one.shares),
            f"{one.shares * _SHARE_BYTES / 1e9:,.1f} GB",
        )
        for one in scales
    ]
    return table(["instances", "events/s", "in the busiest hour", "cells", "of 5 instances", "of single weeks", "their bytes", "shares", "their bytes"], rows)


def grown(world: World, sizes: Mapping[int, int]) -> str:
    """Cells, shares and what is known, month by month."""
    few, many = growth(world, 1_000, sizes), growth(world, 1_000_000, sizes)
    rows = [
        (
            months,
            *(figure for one in (few[months], many[months]) for figure in (f"{one.cells:,.0f}", f"{one.periods:,.0f}", _short(one.shares), _frequent(one))),
        )
        for months in few
    ]
    names = ["cells", "of single weeks", "shares", "tasks with 30 like them"]
    return table(["months", *(f"{size}: {name}" for size in ("1,000", "1 M") for name in names)], rows)


def costs(scale: Scale) -> str:
    """What an event costs in each store, and how many instances that is enough for, by the events that each sends in the busiest hour."""
    each = scale.peak / scale.instances
    rows = [(name, f"{rate:,}", f"{_CORES * 1e6 / rate:.0f}", size, f"{rate / 4 / each / 1e6:.0f} M") for name, (rate, size) in _MEASURED.items()]
    return table(["store", "events/s", "µs of a core an event", "bytes an event", "instances whose busiest hour is a quarter of that"], rows)


def _frequent(scale: Scale) -> str:
    return f"{sum(weight for size, weight in scale.classes.items() if size[0] >= 30):.0%}"


def money(scales: Sequence[Scale]) -> str:
    """What it takes to keep the events for the window of 180 days, by the prices above."""
    rows = []
    for one in scales:
        events = one.a_second * DAY * WINDOW_DAYS
        disk = (events * _EVENT_BYTES + one.cell_bytes + one.shares * _SHARE_BYTES) / 1e9
        machines = 1 + int(np.ceil(one.peak / _BATCH / _REQUESTS)) * (one.instances > SCALES[1])  # one holds the database, and serves too where that is little
        dollars = machines * _MACHINE_DOLLARS + disk * _DISK_DOLLARS
        each = f"{dollars / one.instances * 100:.2g} ct"
        rows.append((f"{one.instances:,}", _short(events), f"{disk:,.{int(disk < 10)}f} GB", _short(one.peak / _BATCH), machines, f"${dollars:,.0f}", each))
    head = ["instances", "events held", "on disk", "requests/s in the busiest hour", "machines", "a month", "a month and instance"]
    return table(head, rows)


def _freshness(scales: Sequence[Scale], rates: Mapping[str, float], errors: Mapping[tuple[int, int], Errors]) -> str:
    rows = []
    for one in scales:
        # A class that the sample was too small to see errs as the nearest below it, or the first one that was seen.
        seen = [max((known for known in errors if known <= size), default=min(errors)) for size in one.classes]
        weights = list(one.classes.values())
        factor = np.exp(sum(weight * np.log(errors[size].factor) for weight, size in zip(weights, seen, strict=True)))
        covered = sum(weight * errors[size].covered for weight, size in zip(weights, seen, strict=True))
        late = [_seconds(behind(one, rate)) for rate in rates.values()]
        rows.append((f"{one.instances:,}", *late, _frequent(one), f"x{factor:.2f}", f"{covered:.0%}"))
    head = ["instances", *(f"one keeper behind ({kind})" for kind in rates), "tasks with 30 like them", "error of the median", "truth within p10 to p90"]
    return table(head, rows)


def _seconds(late: float) -> str:
    return "within 1 s" if late < 1 else f"{late / 3600:,.1f} h" if late < 3 * DAY else "ever more"


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if number >= size:
            return f"{number / (1e3 if unit == 'k' else size):,.1f}{unit}"
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _words(size: tuple[int, int]) -> str:
    low, high = size
    return "none" if high == 0 else f"{low}-{high}" if high < 10**9 else f"{low:,} and more"


if __name__ == "__main__":
    main()
