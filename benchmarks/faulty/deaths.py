"""The process dies, or ends: by kill -9, by SIGTERM, or at the end of the program."""

from __future__ import annotations

import random
import signal
import struct
import tempfile
import time
from pathlib import Path

from peers import CLIENTS, OURS
from support.environment import scratch
from support.server import Server
from support.workers import Worker

from faulty import HUNG, Row, drain, each, report_on, spool_for

EVENTS = 250
LIMIT = 30.0
"""Seconds that an exit is waited for."""


def killed(server: Server, *, quick: bool) -> list[Row]:
    """kill -9 at random moments, then the program starts again and sends what it finds."""
    ours, others = (3, 2) if quick else (25, 5)
    dice = random.Random(7)
    moments = [dice.uniform(0.05, 1.5) for _ in range(ours)]

    def measure(name: str) -> str:
        lost = tracked = twice = 0
        for moment in moments[: ours if name in OURS else others]:
            returned, missing, again = _kill(server, name, moment)
            tracked, lost, twice = tracked + returned, lost + missing, twice + again
        return f"{lost:,} of {tracked:,} / {twice}"

    fault = f"kill -9 at random moments ({ours} rounds, peers {others}), restart"
    return [Row(fault, "lost / twice", each(measure, at_once=4))]


def _kill(server: Server, name: str, moment: float) -> tuple[int, int, int]:
    port = server.open()
    spool = spool_for(name)
    with tempfile.NamedTemporaryFile(dir=scratch()) as counter:
        counter.write(bytes(8))
        counter.flush()
        worker = Worker(name, "deaths.stream", url=port.url, counter=counter.name, spool=spool)
        worker.ready()
        worker.go()
        time.sleep(moment)
        worker.signal(signal.SIGKILL)
        worker.finish(10)
        returned = struct.unpack("<q", Path(counter.name).read_bytes())[0]
    drain(port, name, spool)
    arrived = port.among(0, returned)
    _, twice = report_on(port, 0)
    port.close()
    return returned, returned - arrived, twice


def terminated(server: Server, *, quick: bool) -> list[Row]:
    """SIGTERM, with its default action, right after 250 events."""
    del quick

    def measure(name: str) -> str:
        port = server.open()
        spool = spool_for(name)
        worker = Worker(name, "deaths.waiting", url=port.url, events=EVENTS, spool=spool)
        worker.ready()
        worker.go()
        worker.hear(30)
        worker.signal(signal.SIGTERM)
        worker.finish(LIMIT)
        drain(port, name, spool)
        lost, twice = report_on(port, EVENTS)
        port.close()
        return f"{lost} / {twice}"

    return [Row(f"SIGTERM after {EVENTS} events, restart", "lost / twice", each(measure, at_once=2))]


def exits(server: Server, *, quick: bool) -> list[Row]:
    """The end of a program that just reported 250 events and calls nothing more."""
    rounds = 1 if quick else 3
    bare = each(lambda name: min(_bare(name) for _ in range(rounds)))
    says = "extra ms / lost after a restart"
    up = each(lambda name: _best(server, name, rounds, bare[name]))
    closed = each(lambda name: _exit(server, name, bare[name], "close"))
    rows = [
        Row(f"exit after {EVENTS} events, server up", says, up),
        Row("the same after the client's own close", says, {name: cell for name, (_, cell) in closed.items()}),
    ]
    away = {"refuse": "dead", "black_hole": "a black hole"}
    order = [f"{kind}|{name}" for kind in away for name in CLIENTS]

    def measure(key: str) -> str:  # all at once, since nearly all is waiting, but not in the same moment
        kind, _, name = key.partition("|")
        time.sleep(order.index(key) * 0.5)
        return _exit(server, name, bare[name], kind=kind)[1]

    cells = each(measure, order, at_once=len(order))
    rows += [Row(f"exit after {EVENTS} events, server {label}", says, {name: cells[f"{kind}|{name}"] for name in CLIENTS}) for kind, label in away.items()]
    return rows


def _bare(name: str) -> float:
    worker = Worker(name, "deaths.nothing")
    worker.ready()
    worker.go()
    end = worker.hear(10)["end"]
    worker.finish(10)
    return worker.ended - end


def _best(server: Server, name: str, rounds: int, bare: float) -> str:
    return min((_exit(server, name, bare) for _ in range(rounds)), key=lambda pair: pair[0])[1]


def _exit(server: Server, name: str, bare: float, how: str = "plain", kind: str = "ok") -> tuple[float, str]:
    port = server.open(kind)
    spool = spool_for(name)
    worker = Worker(name, "deaths.ending", url=port.url, events=EVENTS, spool=spool, how=how)
    worker.ready()
    worker.go()
    said = worker.hear(LIMIT)
    outcome = worker.finish(LIMIT)
    port.mode("ok")
    drain(port, name, spool)
    lost, _ = report_on(port, EVENTS)
    port.close()
    if outcome.code is None or said is None:
        return LIMIT, f"{HUNG} (over {LIMIT:g} s) / {lost}"
    extra = (worker.ended - said["end"] - bare) * 1000
    return extra, f"{extra:+,.0f} / {lost}"


def late(server: Server, *, quick: bool) -> list[Row]:
    """An event that is reported by an `atexit` handler which runs after the client's own."""
    del quick

    def measure(name: str) -> str:
        port = server.open()
        spool = spool_for(name)
        worker = Worker(name, "deaths.ending", url=port.url, events=10, spool=spool, how="late")
        worker.ready()
        worker.go()
        outcome = worker.finish(LIMIT)
        drain(port, name, spool)
        arrived = port.among(10, 11)
        port.close()
        noise = ", raises" if "Traceback" in outcome.errors else ""
        return ("0" if arrived else "1") + (noise if outcome.code is not None else f", {HUNG}")

    return [Row("one event in a late atexit handler", "lost", each(measure, at_once=4))]
