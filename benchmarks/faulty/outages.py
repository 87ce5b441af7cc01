"""The server is away for a while, or refuses some of what it gets."""

from __future__ import annotations

import itertools
import time
from typing import Any

from peers import CLIENTS
from support.payload import marked
from support.server import Port, Server
from support.workers import Worker

from faulty import HUNG, Row, each, report_on, spool_for

RETRY_AFTER = 5
_KINDS: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    f"429, Retry-After {RETRY_AFTER} s": {"kind": "status", "status": 429, "retry_after": RETRY_AFTER},
    "refused connections": {"kind": "refuse"},
    "a black hole": {"kind": "black_hole"},
}


def outages(server: Server, *, quick: bool) -> list[Row]:
    """Outages with 1,000 events reported at their beginning, and then time to recover without any call."""
    seconds, patience = (3.0, 10.0) if quick else (15.0, 45.0)
    rows = []
    for pair in (list(_KINDS)[:2], list(_KINDS)[2:]):  # two kinds at a time: all but the first second is waiting
        names = [f"{kind}|{name}" for kind in pair for name in CLIENTS]
        cells = each(_Outage(server, seconds, patience).run, names, at_once=len(names))
        for kind in pair:
            says = "lost / twice / requests meanwhile"
            if kind.startswith("429"):
                says += " (before Retry-After)"
            rows.append(Row(f"{seconds:g} s of {kind}, 1,000 events", says, {name: cells[f"{kind}|{name}"] for name in CLIENTS}))
    return rows


class _Outage:
    def __init__(self, server: Server, seconds: float, patience: float, events: int = 1_000) -> None:
        self._server, self._seconds, self._patience, self._events = server, seconds, patience, events

    def run(self, kind_and_name: str) -> str:
        kind, _, name = kind_and_name.partition("|")
        port = self._server.open(**_KINDS[kind])
        worker = Worker(name, "outage.steady", url=port.url, events=self._events, spool=spool_for(name))
        worker.ready()
        time.sleep(1.0)  # until the others are imported as well
        begin = time.monotonic()
        worker.go()
        raised = (worker.hear(self._seconds + self._patience) or {}).get("raised")
        time.sleep(max(begin + self._seconds - time.monotonic(), 0.0))
        end = time.monotonic()
        port.mode("ok")
        port.wait_for(self._events, self._patience)
        worker.go()
        outcome = worker.finish(30.0)
        cell = self._cell(kind, port, (begin, end), outcome.result or {}, raised)
        port.close()
        return cell + ("" if outcome.code is not None else f", {HUNG} at close")

    def _cell(self, kind: str, port: Port, window: tuple[float, float], result: dict[str, Any], raised: int | None) -> str:
        lost, twice = report_on(port, self._events)
        begin, end = window
        if "refused" in kind:
            meanwhile = [moment for moment in result.get("connects", []) if begin <= moment < end]
        else:
            meanwhile = [moment for moment, _ in port.report()["requests"] if begin <= moment < end]
        requests: object = len(meanwhile)
        if "refused" in kind and "connects" not in result:
            requests = "?"
        if kind.startswith("429"):
            early = sum(later - earlier < RETRY_AFTER for earlier, later in itertools.pairwise(meanwhile))
            requests = f"{requests} ({early})"
        cell = f"{lost:,} / {twice} / {requests}"
        return cell if raised == 0 else cell + (f", {raised} raised" if raised else ", calls block")


def lost_answers(server: Server, *, quick: bool) -> list[Row]:
    """For a second the server takes what it gets, and the connection breaks before its answer."""
    patience = 5.0 if quick else 20.0

    def measure(name: str) -> str:
        port = server.open("lost_answer")
        worker = Worker(name, "outage.steady", url=port.url, events=200, spool=spool_for(name), seconds=0.05)
        worker.ready()
        worker.go()
        worker.hear(patience)
        time.sleep(1.0)
        port.mode("ok")
        time.sleep(patience)
        worker.go()
        outcome = worker.finish(30.0)
        lost, twice = report_on(port, 200)
        port.close()
        return f"{lost} / {twice}" + ("" if outcome.code is not None else f", {HUNG} at close")

    return [Row("answers lost for 1 s, 200 events", "lost / twice", each(measure, at_once=len(CLIENTS)))]


def refusals(server: Server, *, quick: bool) -> list[Row]:
    """413 above 50 events, and a 400 for whatever holds one bad event."""
    patience = 3.0 if quick else 8.0
    cases = {
        "413 above 50 events, 200 reported": ({"kind": "at_most", "events": 50}, 200),
        "400 for one bad event among 200": ({"kind": "poison", "mark": marked(77)}, 199),
    }

    def measure(name: str, mode: dict[str, Any], good: int) -> str:
        port = server.open(**mode)
        worker = Worker(name, "outage.steady", url=port.url, events=200, spool=spool_for(name), seconds=0.05)
        worker.ready()
        worker.go()
        worker.hear(patience)
        port.wait_for(good, patience)
        worker.go()
        outcome = worker.finish(30.0)
        delivered = port.report()["unique"]
        port.close()
        return f"{delivered}" + ("" if outcome.code is not None else f", {HUNG} at close")

    return [Row(fault, "delivered", each(lambda name, mode=mode, good=good: measure(name, mode, good), at_once=4)) for fault, (mode, good) in cases.items()]
