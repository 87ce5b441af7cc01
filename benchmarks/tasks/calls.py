"""Cost of one call."""

from __future__ import annotations

import gc
import os
import threading
import time
from typing import Any

import peers
from support.tables import quantile

from tasks import ready, say


def burst(client: str, url: str, calls: int, threads: int) -> None:
    """As fast as it goes, in one or several threads: nanoseconds of each call, and wall time a call."""
    peer = peers.make(client, peers.Settings(url, queue=calls + 2_000))
    warm, items = peer.prepare(range(500)), peer.prepare(range(500, 500 + calls))
    report, full = peer.report, peer.full
    for item in warm:  # imports, threads and connections that come with the first calls
        report(item)
    time.sleep(0.5)
    gc.freeze()  # the prepared events are the benchmark's, not the client's
    ready()
    times: list[list[int]] = [[] for _ in range(threads)]

    def some(index: int) -> None:
        clock, note = time.perf_counter_ns, times[index].append
        for item in items[index::threads]:
            while full():
                time.sleep(0.001)
            begin = clock()
            report(item)
            note(clock() - begin)

    workers = [threading.Thread(target=some, args=(index,)) for index in range(threads)]
    begin = time.perf_counter_ns()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    wall = time.perf_counter_ns() - begin
    _tell([value for part in times for value in part], wall / calls)


def paced(client: str, url: str, calls: int, pause: float) -> None:
    """One call every `pause` seconds, as a busy program reports, while the sender sends what came before."""
    peer = peers.make(client, peers.Settings(url))
    warm, items = peer.prepare(range(500)), peer.prepare(range(500, 500 + calls))
    report = peer.report
    for item in warm:
        report(item)
    time.sleep(0.5)
    gc.freeze()  # the prepared events are the benchmark's, not the client's
    ready()
    times = []
    for item in items:
        time.sleep(pause)
        begin = time.perf_counter_ns()
        report(item)
        times.append(time.perf_counter_ns() - begin)
    _tell(times, sum(times) / calls)


def _tell(times: list[int], wall: float) -> None:
    times.sort()
    shares: dict[str, Any] = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    say({name: quantile(times, share) / 1000 for name, share in shares.items()} | {"wall": wall / 1000})
    os._exit(0)  # what still waits is of no interest here
