"""Delivery of many events."""

from __future__ import annotations

import gc
import os
import resource
import time

import peers

from tasks import go, ready, say


def throughput(client: str, url: str, events: int) -> None:
    """Report `events` events as fast as the client takes them without dropping any; says when it began, and what it took."""
    peer = peers.make(client, peers.Settings(url, queue=events + 1_000))
    items = peer.prepare(range(events))
    gc.collect()
    gc.freeze()  # the prepared events are the benchmark's, not the client's
    ready()
    report, full = peer.report, peer.full
    cpu, begin = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    for item in items:
        while full():
            time.sleep(0.001)
        report(item)
    queued = time.monotonic()
    peer.flush()
    say({"begin": begin, "queued": queued})
    go()
    used = resource.getrusage(resource.RUSAGE_SELF)
    say({"cpu": used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime})
    os._exit(0)
