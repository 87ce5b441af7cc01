"""What the client does to its host."""

from __future__ import annotations

from support.server import Server
from support.workers import Worker

from faulty import HUNG, Row, each, spool_for


def overflow(server: Server, *, quick: bool) -> list[Row]:
    """50,000 events into a queue of 1,000 while the server is dead."""
    events = 5_000 if quick else 50_000

    def measure(name: str) -> str:
        port = server.open("refuse")
        worker = Worker(name, "nuisance.overflow", url=port.url, events=events, spool=spool_for(name))
        worker.ready()
        worker.go()
        outcome = worker.finish(90)
        port.close()
        lines = sum(bool(line.strip()) for line in outcome.errors.splitlines())
        if outcome.result is None:
            return f"{HUNG} / {lines:,} lines"
        return f"{outcome.result['growth'] / 2**20:.1f} / {outcome.result['slowest']:.1f} / {lines:,}"

    return [Row(f"{events:,} events into a full queue, server dead", "MB more / slowest call ms / log lines", each(measure))]


def nasty(server: Server, *, quick: bool) -> list[Row]:
    """Nasty values in a field, each among good events."""
    del quick

    def measure(name: str) -> str:
        port = server.open()
        worker = Worker(name, "nuisance.nasty", url=port.url, spool=spool_for(name))
        worker.ready()
        worker.go()
        said = worker.hear(30) or {"raised": ["?"], "good": 0}
        outcome = worker.finish(30)
        arrived = port.among(0, said["good"])
        port.close()
        cell = f"{len(said['raised'])} / {said['good'] - arrived} of {said['good']}"
        if outcome.code is None:
            return f"{cell}, {HUNG} at close"
        return cell if outcome.code == 0 else f"{cell}, dies"

    return [Row("13 nasty values in a field", "calls that raise / good neighbours lost", each(measure, at_once=4))]
