"""How much does the server take in, how fast does it answer meanwhile, and what becomes of that as the database grows?

Everything is durable, on this machine's disk, with the load generator on the same machine. Beside it in the same run: the same endpoint
as most would write it (`plain/app.py`: FastAPI, pydantic, SQLAlchemy), on a SQLite database with the same settings.

    python benchmarks/ingest.py [--quick] [--only capacity|latency|growth|random|predictions|overload] [--millions 10] [--minutes 5]
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import install_plain
from ingesting import asking
from ingesting.servers import Target, create, ours, plain
from support.tables import quantile, ratio, table

WORKERS = 2
CONNECTIONS = 16


def seconds(given: Any) -> float:
    return 4 if given.quick else 15


def capacity(given: Any) -> str:
    """Events a second, as fast as 16 connections get their answers."""
    rows = []
    with tempfile.TemporaryDirectory() as directory, plain(Path(directory), WORKERS) as target:
        beside = _measure(target, given)
        rows.append(["FastAPI, pydantic, SQLAlchemy; 2 workers, no cells", *beside[0], "1.00x"])
    for workers in (1, WORKERS):
        with tempfile.TemporaryDirectory() as directory, ours(Path(directory), workers) as target:
            cells, report = _measure(target, given)
            events, size = report["accepted"], 0.0
            end = time.monotonic() + 60
            while time.monotonic() < end and target.stored()[0] != target.stored()[1]:
                time.sleep(0.1)
            events = target.stored()[0]
            target.process.terminate()
            target.process.wait(timeout=120)
            size = target.database.stat().st_size / events
            label = f"**mosaic-telemetry**, {workers} worker{'s' if workers > 1 else ''}, cells kept ({size:.0f} bytes an event)"
            rows.append([label, *cells, ratio(report["accepted"] / report["seconds"], beside[1]["accepted"] / beside[1]["seconds"])])
    return table(["batches of 100, 16 connections", "events/s", "p50 ms", "p99 ms", "largest process MB", "beside"], rows)


def _measure(target: Target, given: Any, *options: str) -> tuple[list[str], dict[str, Any]]:
    target.load("--seconds", "2")  # warm
    report = target.load("--seconds", str(seconds(given)), "--connections", str(CONNECTIONS), *options)
    rate = report["accepted"] / report["seconds"]
    return [f"{rate:,.0f}", f"{report['p50_ms']:.1f}", f"{report['p99_ms']:.1f}", f"{target.memory_mb():.0f}"], report


def latency(given: Any) -> str:
    """Latency at half of what the server can do; from the moment at which a batch was due."""
    rows = []
    with tempfile.TemporaryDirectory() as directory, ours(Path(directory), WORKERS) as target:
        _, full = _measure(target, given)
        rate = full["accepted"] / full["seconds"]
        for share in (0.25, 0.5, 0.75):
            _, report = _measure(target, given, "--rate", f"{rate * share:.0f}")
            row = [f"{share:.0%}", f"{report['accepted'] / report['seconds']:,.0f}", *(f"{report[name]:.1f}" for name in ("p50_ms", "p99_ms", "worst_ms"))]
            rows.append(row)
    return table(["of its capacity", "events/s", "p50 ms", "p99 ms", "worst ms"], rows)


def growth(given: Any) -> str:
    """The rate as the database grows, with ids as our SDK makes them."""
    return _growth(given, "7")


def random(given: Any) -> str:
    """The same with random ids."""
    return _growth(given, "4")


def _growth(given: Any, version: str) -> str:
    goal = 400_000 if given.quick else int(given.millions * 1e6)
    rows = []
    first = 0.0
    with tempfile.TemporaryDirectory() as directory, ours(Path(directory), WORKERS) as target:
        step = goal // 5
        for mark in range(0, goal + 1, step):
            while (missing := mark - target.stored()[0]) > 0:
                target.load("--ids", version, "--seconds", str(min(10.0, max(1.0, missing / 60_000))))
            events = target.stored()[0]
            cells, report = _measure(target, given, "--ids", version)
            rate = report["accepted"] / report["seconds"]
            first = first or rate
            rows.append([f"{events:,}", *cells, f"{rate / first:.0%}"])
    return table([f"events stored (UUIDv{version})", "events/s", "p50 ms", "p99 ms", "largest process MB", "of the first"], rows)


def predictions(given: Any) -> str:
    """Batches of 50 predictions on a database of 10 million events, answered by one worker."""
    goal = 200_000 if given.quick else int(given.millions * 1e6)
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        made = create(Path(directory))
        with ours(Path(directory), WORKERS, made) as target:
            while (missing := goal - target.stored()[0]) > 0:
                target.load("--seconds", str(min(10.0, max(1.0, missing / 60_000))))
        with ours(Path(directory), 1, made) as target:
            rows.append(_asked("not cached", target, given))
            rows.append(_asked("cached", target, given, cached=True))
        with ours(Path(directory), WORKERS, made) as target:
            _, full = _measure(target, given)
            half = full["accepted"] / full["seconds"] / 2
            loading = threading.Thread(target=target.load, args=("--rate", f"{half:.0f}", "--seconds", str(seconds(given) + 2)))
            loading.start()
            time.sleep(1)
            rows.append(_asked(f"not cached, while {half:,.0f} events/s come in", target, given))
            loading.join()
    return table([f"50 predictions, {goal:,} events", "batches", "p50 ms", "p99 ms"], rows)


def _asked(label: str, target: Target, given: Any, *, cached: bool = False) -> list[str]:
    found = asking.latencies(target.port, seconds(given), cached=cached)
    return [label, f"{len(found):,}", f"{quantile(found, 0.5):.1f}", f"{quantile(found, 0.99):.1f}"]


def overload(given: Any) -> str:
    """Four times as much as the server can do, on many connections."""
    lasting = 15.0 if given.quick else given.minutes * 60
    with tempfile.TemporaryDirectory() as directory, ours(Path(directory), WORKERS) as target:
        _, peak = _measure(target, given)
        capacity = peak["accepted"] / peak["seconds"]
        before = target.memory_mb()
        report = target.load("--rate", f"{4 * capacity:.0f}", "--connections", "1000", "--seconds", str(lasting))
        after = target.memory_mb()
    accepted = report["accepted"] / report["seconds"]
    refused = sum(number for status, number in report["statuses"].items() if status != "202")
    rows = [
        ["events/s offered", f"{100 * sum(report['statuses'].values()) / report['seconds']:,.0f}"],
        ["events/s accepted", f"{accepted:,.0f}"],
        ["of the peak", f"{accepted / capacity:.0%}"],
        ["answers", ", ".join(f"{status}: {number:,}" for status, number in sorted(report["statuses"].items()))],
        ["refused, p99 ms", f"{report['refused_p99_ms']:.0f}" if refused else "-"],
        ["refusals without Retry-After", str(report["without_retry_after"])],
        ["connections without an answer", str(report["broken"])],
        ["largest process MB, before and after", f"{before:.0f}, {after:.0f}"],
    ]
    return table([f"4 x the capacity for {lasting:.0f} s", ""], rows)


def machine() -> str:
    """Where, when and with which versions."""
    import apsw

    from mosaic_telemetry import __version__

    when = datetime.now(tz=UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0))
    return (
        f"Measured on {when}: mosaic-telemetry {__version__}, Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}, "
        f"{platform.system()}, {cores} cores, the generator on the same machine."
    )


PARTS: dict[str, Callable[[Any], str]] = {
    "capacity": capacity,
    "latency": latency,
    "growth": growth,
    "random": random,
    "predictions": predictions,
    "overload": overload,
}


def main(given: Any) -> None:
    print(machine())
    if given.only in {None, "capacity"}:
        install_plain.main()
    for name, part in PARTS.items():
        if given.only in {None, name}:
            print(f"\n## {name}\n\n{part(given)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short rounds on a small database: to see that it runs, not to quote")
    parser.add_argument("--only", choices=list(PARTS), help="measure this alone")
    parser.add_argument("--millions", type=float, default=10, help="of events in a large database")
    parser.add_argument("--minutes", type=float, default=5, help="of overload")
    main(parser.parse_args())
