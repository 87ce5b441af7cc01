"""What does an event, and what does an answer, cost on each store?

The stores are asked directly, in this process: there is no HTTP in these numbers, and the time that it takes to make the events is in
them. Everything is durable, on this machine's disk. PostgreSQL and ClickHouse are those of the tests, started and thrown away here:
ClickHouse is the embedded engine behind a small HTTP interface, one statement at a time, and no tuned server.

    python benchmarks/stores.py [--events 1M] [--only sqlite|postgres|clickhouse] [--quick]
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import apsw
import support
from ingesting.bodies import CELLS, Bodies
from support.environment import ROOT
from support.tables import quantile, table

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.ingest import judge_body
from mosaic_telemetry.engine.store import Instance, Store, StoredEvent
from mosaic_telemetry.engine.store.opening import open_store
from mosaic_telemetry.schema import PredictionQuery

support.__path__.append(str(ROOT / "tests" / "support"))  # the servers of the tests

from support.clickhouse import ClickhouseServer, name_in  # noqa: E402 - found there
from support.postgres import PostgresServer  # noqa: E402 - found there

AT_ONCE = 2_000
WAITING = 8
QUERIES = 50
KINDS = ("sqlite", "postgres", "clickhouse")
_MULTIPLES = {"k": 1_000, "m": 1_000_000}


class Place(NamedTuple):
    """A database to measure: its version, where it is, and how many bytes it takes."""

    label: str
    database: Path | str
    size: Callable[[], int]


@contextmanager
def sqlite() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="mt-bench-") as directory:
        path = Path(directory) / "telemetry.db"

        def size() -> int:
            with apsw.Connection(str(path)) as connection:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            return path.stat().st_size

        yield Place(f"SQLite {apsw.sqlite_lib_version()}", path, size)


@contextmanager
def postgres() -> Iterator[Place]:
    server = PostgresServer(durable=True)
    try:
        url = server.database()
        version = server.execute("SHOW server_version")[0][0].split()[0]
        yield Place(f"PostgreSQL {version}", url, lambda: _size_of(server, url))
    finally:
        server.close()


@contextmanager
def clickhouse() -> Iterator[Place]:
    server, accounts = ClickhouseServer(), PostgresServer(durable=True)
    try:
        beside = accounts.database()
        url = server.database(beside).replace("insert_ms=0", "insert_ms=100")
        version = str(server.execute("SELECT version()")[0][0])

        def size() -> int:
            found = server.execute(f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = '{name_in(url)}'")
            return int(str(found[0][0])) + _size_of(accounts, beside)

        yield Place(f"ClickHouse {version}, embedded, beside PostgreSQL", url, size)
    finally:
        server.close()
        accounts.close()


def measure(place: Place, events: int, rounds: int) -> list[str]:
    """One row of the table."""
    with open_engine(place.database, keep=False) as engine:
        instance = engine.authenticate(engine.create_instance("bench").api_key)
    assert instance is not None
    empty = place.size()
    with closing(open_store(place.database)) as store:
        first, _, last = (_insert(store, instance, amount) for amount in (events // 10, events - 2 * (events // 10), events // 10))
    begin = time.perf_counter()
    with open_engine(place.database, keep=False) as engine:
        engine.roll_up()
    counted = time.perf_counter() - begin
    asked = sorted(itertools.chain.from_iterable(_asked(place) for _ in range(rounds)))
    size = (place.size() - empty) / events
    return [place.label, f"{first:,.0f}", f"{last:,.0f}", f"{events / counted:,.0f}", f"{quantile(asked, 0.5) * 1000:.1f}", f"{size:.0f}"]


def _insert(store: Store, instance: Instance, events: int) -> float:
    """Events a second that are durable."""
    begin = time.perf_counter()
    waiting: deque[Future[list[bool]]] = deque()
    for batch in _batches(instance, events):
        waiting.append(store.insert(instance.number, int(time.time() * 1000), batch))
        if len(waiting) > WAITING:
            waiting.popleft().result()
    for one in waiting:
        one.result()
    return events / (time.perf_counter() - begin)


def _batches(instance: Instance, events: int) -> Iterator[list[StoredEvent]]:
    """Events over 720 cells, under ids as our SDK makes them."""
    bodies = Bodies(str(instance.instance_id))
    pool = itertools.cycle([event for _ in range(64) for event in judge_body(bodies.make(), instance.instance_id).events])
    for start in range(0, events, AT_ONCE):
        now = int(time.time() * 1000)
        head, noise = now.to_bytes(6, "big"), os.urandom(10 * AT_ONCE)
        ids = [head + bytes([0x70 | noise[at] & 15, noise[at + 1], 0x80 | noise[at + 2] & 63]) + noise[at + 3 : at + 10] for at in range(0, len(noise), 10)]
        yield [next(pool)._replace(event_id=one, timestamp_ms=now) for one in ids[: events - start]]


def _asked(place: Place) -> list[float]:
    """Seconds for each of several batches of predictions; none of them was asked before, of a process that knows nothing yet."""
    sets = [
        [PredictionQuery(task_type=t, complexity=c, model=m, provider=p) for t, c, m, p in CELLS[at : at + QUERIES]] for at in range(0, len(CELLS), QUERIES)
    ]
    found = []
    with open_engine(place.database, keep=False) as engine:
        engine.predict(sets.pop())  # connections are made
        for queries in sets:
            begin = time.perf_counter()
            answers = engine.predict(queries)
            found.append(time.perf_counter() - begin)
            assert all(answer.prediction for answer in answers)
    return found


def _size_of(server: PostgresServer, url: str) -> int:
    server.execute("CHECKPOINT")
    return int(server.execute(f"SELECT pg_database_size('{name_in(url)}')")[0][0])


def _count(text: str) -> int:
    try:
        return int(float(text.rstrip("kKmM")) * _MULTIPLES.get(text[-1:].lower(), 1))
    except ValueError as error:
        raise argparse.ArgumentTypeError("a number such as 1M or 200k") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--events", type=_count, default=1_000_000, help="how many, such as 10M; 1M without it")
    parser.add_argument("--only", choices=KINDS, help="measure this alone")
    parser.add_argument("--quick", action="store_true", help="few events: to see that it runs, not to quote")
    given = parser.parse_args()
    events, rounds = (20_000, 1) if given.quick else (given.events, 20)
    rows = []
    for kind, places in zip(KINDS, (sqlite, postgres, clickhouse), strict=True):
        if given.only in {None, kind}:
            with places() as place:
                rows.append(measure(place, events, rounds))
                print(" | ".join(rows[-1]), flush=True)
    print(f"\n{events:,} events, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print(table(["store", "durable events/s, first tenth", "last tenth", "counted events/s", "50 predictions, p50 ms", "bytes an event"], rows))


if __name__ == "__main__":
    main()
