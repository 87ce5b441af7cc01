"""How much does the server take in, how fast does it answer meanwhile, and what becomes of that as the database grows?

Everything is durable, on this machine's disk, with the load generator on the same machine. Beside it in the same run: the same endpoint
as most would write it (`plain/app.py`: FastAPI, pydantic, SQLAlchemy), on a database of the same kind with the same settings.

    python benchmarks/ingest.py [--quick] [--only capacity|latency|growth|random|predictions|overload] [--millions 10] [--minutes 5]
                                [--database postgresql://…] [--directory DIRECTORY]

With `--database`, capacity, latency and overload are measured on that PostgreSQL server, each on a database of its own that is thrown away. The
large database of the other parts is a SQLite file; it is made once, and kept where `--directory` says, to be used again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import install_plain
from ingesting import asking, building
from ingesting.servers import Target, create, empty, ours, plain, version_of
from support.tables import quantile, ratio, table

from mosaic_telemetry.engine import open_engine

WORKERS = 2
CONNECTIONS = 16


def seconds(given: Any) -> float:
    return 4 if given.quick else 15


def capacity(given: Any) -> str:
    """Events a second, as fast as 16 connections get their answers."""
    rows = []
    with empty(given.database) as database, plain(database, WORKERS) as target:
        beside = _measure(target, given)
        rows.append([f"FastAPI, pydantic, SQLAlchemy; {WORKERS} workers, no cells", *beside[0], "-", "1.00x"])
    for workers in (1, WORKERS):
        with empty(given.database) as database, ours(database, workers) as target:
            cells, report = _measure(target, given)
            behind = target.stored()
            events, _ = target.caught_up()
            target.stop()
            label = f"**mosaic-telemetry**, {workers} worker{'s' if workers > 1 else ''} ({target.size() / events:.0f} bytes an event, cells included)"
            beaten = ratio(report["accepted"] / report["seconds"], beside[1]["accepted"] / beside[1]["seconds"])
            rows.append([label, *cells, f"{behind[1] / behind[0]:.0%}", beaten])
    return table(["batches of 100, 16 connections", "events/s", "p50 ms", "p99 ms", "largest process MB", "in cells by the end", "beside"], rows)


def _measure(target: Target, given: Any, *options: str) -> tuple[list[str], dict[str, Any]]:
    target.load("--seconds", "2")  # warm
    report = target.load("--seconds", str(seconds(given)), "--connections", str(CONNECTIONS), *options)
    rate = report["accepted"] / report["seconds"]
    return [f"{rate:,.0f}", f"{report['p50_ms']:.1f}", f"{report['p99_ms']:.1f}", f"{target.memory_mb():.0f}"], report


def latency(given: Any) -> str:
    """Latency at half of what the server can do; from the moment at which a batch was due."""
    rows = []
    with empty(given.database) as database, ours(database, WORKERS) as target:
        _, full = _measure(target, given)
        rate = full["accepted"] / full["seconds"]
        for share in (0.25, 0.5, 0.75):
            target.caught_up()
            _, report = _measure(target, given, "--rate", f"{rate * share:.0f}")
            row = [f"{share:.0%}", f"{report['accepted'] / report['seconds']:,.0f}", *(f"{report[name]:.1f}" for name in ("p50_ms", "p99_ms", "worst_ms"))]
            behind = target.stored()
            rows.append([*row, f"{behind[0] - behind[1]:,}"])
    return table(["of its capacity", "events/s", "p50 ms", "p99 ms", "worst ms", "not in cells at the end"], rows)


def growth(given: Any) -> str:
    """The rate on a large database beside that on an empty one, with ids as our SDK makes them."""
    return _growth(given, "7")


def random(given: Any) -> str:
    """The same with random ids."""
    return _growth(given, "4")


def _growth(given: Any, version: str) -> str:
    rows = []
    with empty(None) as database, ours(database, WORKERS) as target:
        cells, report = _measure(target, given, "--ids", version)
        first = report["accepted"] / report["seconds"]
        rows.append(["0", *cells, "100%"])
    with _large(given) as (large, made), tempfile.TemporaryDirectory(dir=large.parent) as directory:
        copy = building.copied(large, Path(directory) / "telemetry.db")
        if version == "4":
            building.shuffle(copy)
        with ours(str(copy), WORKERS, made) as target:
            events = target.stored()[0]
            cells, report = _measure(target, given, "--ids", version)
            rows.append([f"{events:,}", *cells, f"{report['accepted'] / report['seconds'] / first:.0%}"])
    return table([f"events stored (UUIDv{version})", "events/s", "p50 ms", "p99 ms", "largest process MB", "of the first"], rows)


@contextmanager
def _large(given: Any) -> Iterator[tuple[Path, dict[str, str]]]:
    """A database of many events, all in cells, with its instance and key; nobody may change it."""
    goal = 200_000 if given.quick else int(given.millions * 1e6)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(given.directory or temporary) / f"{goal}"
        database, note = directory / "telemetry.db", directory / "made.json"
        if not note.exists():
            directory.mkdir(parents=True, exist_ok=True)
            made = create(str(database))
            with open_engine(database, keep=False) as engine:
                instance = next(one for one in engine.accounts.instances() if one.instance_id == UUID(made["instance_id"]))
            building.build(database, instance, goal)
            note.write_text(json.dumps(made), encoding="utf-8")
        yield database, json.loads(note.read_text(encoding="utf-8"))


def predictions(given: Any) -> str:
    """Batches of 50 predictions on a large database, all of it in cells, answered by one worker."""
    rows = []
    with _large(given) as (large, made), tempfile.TemporaryDirectory(dir=large.parent) as directory:
        database = str(building.copied(large, Path(directory) / "telemetry.db"))
        with ours(database, 1, made) as target:
            events = target.stored()[0]
            rows.append(_asked("not cached", target, given))
            rows.append(_asked("cached", target, given, cached=True))
        with ours(database, WORKERS, made) as target:
            _, full = _measure(target, given)
            target.caught_up()
            half = full["accepted"] / full["seconds"] / 2
            loading = threading.Thread(target=target.load, args=("--rate", f"{half:.0f}", "--seconds", str(seconds(given) + 2)))
            loading.start()
            time.sleep(1)
            rows.append(_asked(f"not cached, while {half:,.0f} events/s come in", target, given))
            loading.join()
    return table([f"50 predictions, {events:,} events", "batches", "p50 ms", "p99 ms"], rows)


def _asked(label: str, target: Target, given: Any, *, cached: bool = False) -> list[str]:
    found = asking.latencies(target.port, seconds(given), cached=cached)
    return [label, f"{len(found):,}", f"{quantile(found, 0.5):.1f}", f"{quantile(found, 0.99):.1f}"]


def overload(given: Any) -> str:
    """Four times as much as the server can do, on many connections."""
    lasting = 15.0 if given.quick else given.minutes * 60
    with empty(given.database) as database, ours(database, WORKERS) as target:
        _, peak = _measure(target, given)
        capacity = peak["accepted"] / peak["seconds"]
        with _sampled(target) as memory:
            used = target.cpu()
            report = target.load("--rate", f"{4 * capacity:.0f}", "--connections", str(given.connections), "--seconds", str(lasting))
            used = target.cpu() - used
        _, after = _measure(target, given)
    accepted = report["accepted"] / report["seconds"]
    again = after["accepted"] / after["seconds"]
    refused = sum(number for status, number in report["statuses"].items() if status != "202")
    tenth = max(1, len(memory) // 10)
    rows = [
        ["events/s at the peak, before and after", f"{capacity:,.0f}, {again:,.0f}"],
        ["events/s offered", f"{100 * sum(report['statuses'].values()) / report['seconds']:,.0f}"],
        ["events/s accepted", f"{accepted:,.0f}"],
        ["of the peak before, and of the mean of both", f"{accepted / capacity:.0%}, {2 * accepted / (capacity + again):.0%}"],
        ["answers", ", ".join(f"{status}: {number:,}" for status, number in sorted(report["statuses"].items()))],
        ["refused, p50 and p99 ms from sending", f"{report['refused_p50_ms']:.0f}, {report['refused_p99_ms']:.0f}" if refused else "-"],
        ["refusals without Retry-After", str(report["without_retry_after"])],
        ["connections without an answer", str(report["broken"])],
        ["processors used: server, generator", f"{used / report['seconds']:.2f}, {report['cpu']:.2f}"],
        ["largest process MB: first tenth, last tenth, most", f"{max(memory[:tenth]):.0f}, {max(memory[-tenth:]):.0f}, {max(memory):.0f}"],
    ]
    return table([f"4 x the capacity for {lasting:.0f} s on {given.connections:,} connections", ""], rows)


@contextmanager
def _sampled(target: Target) -> Iterator[list[float]]:
    """The resident set of the largest process, in MB, each half second while the block runs."""
    found = [target.memory_mb("VmRSS")]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.5):
            found.append(target.memory_mb("VmRSS"))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def machine(database: str | None) -> str:
    """Where, when and with which versions."""
    import apsw

    from mosaic_telemetry import __version__

    when = datetime.now(tz=UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0))
    store = f"PostgreSQL {asyncio.run(version_of(database))}" if database else f"SQLite {apsw.sqlite_lib_version()}"
    return (
        f"Measured on {when}: mosaic-telemetry {__version__}, Python {platform.python_version()}, {store}, "
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
    print(machine(given.database))
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
    parser.add_argument("--connections", type=int, default=1000, help="of overload")
    parser.add_argument("--database", help="the URL of a database on a PostgreSQL server, which may make databases; else SQLite files are measured")
    parser.add_argument("--directory", help="where the large database is kept, to be used again")
    main(parser.parse_args())
