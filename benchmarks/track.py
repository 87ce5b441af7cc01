"""What reporting costs the process that does it: `build` and `track`, beside `deque.append` and `json.dumps` of the same event.

Every round times all of them in turn, so that a machine that slows down slows all; each figure is the median over the rounds.
Nothing is sent: the client is not started. Run: `make bench`, or `python benchmarks/track.py [--rounds N]`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections import deque
from collections.abc import Callable

from support.payload import FIELDS

from mosaic_telemetry import TelemetryClient, TelemetryConfig, __version__

CALLS = 5_000


def timed(call: Callable[[], object]) -> float:
    """Microseconds a call, over `CALLS` calls."""
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="rounds; the median is shown")
    rounds = parser.parse_args().rounds
    client = TelemetryClient(TelemetryConfig("http://127.0.0.1:1", "key", "instance", max_queue_size=100_000, spool_dir=None))
    builder, track = client.event_builder, client.track
    event = builder.build(**FIELDS)
    wire = dict(event.__dict__)
    queue: deque[object] = deque(maxlen=100_000)
    cases: dict[str, Callable[[], object]] = {
        "deque.append(event)": lambda: queue.append(event),
        "json.dumps(event)": lambda: json.dumps(wire),
        "track(event)": lambda: track(event),
        "build(**fields)": lambda: builder.build(**FIELDS),
        "build + track": lambda: track(builder.build(**FIELDS)),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, call in cases.items():
            times[name].append(timed(call))
    base = statistics.median(times["json.dumps(event)"])
    print(f"mosaic-telemetry {__version__}, Python {platform.python_version()}, {rounds} rounds of {CALLS:,} calls, medians\n")
    print("| call | µs | of json.dumps |\n| --- | ---: | ---: |")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"| {name} | {middle:.2f} | {middle / base:.2f} |")


if __name__ == "__main__":
    main()
