"""The process forks while requests are in flight."""

from __future__ import annotations

from peers import OURS
from support.server import Server
from support.workers import Worker
from tasks.forks import BEFORE, EACH

from faulty import HUNG, Row, drain, each, report_on, spool_for


def forks(server: Server, *, quick: bool) -> list[Row]:
    """Forks, each child reporting events of its own and closing the client; the server answers slowly."""
    ours, others = (8, 4) if quick else (40, 10)

    def measure(name: str) -> str:
        children = ours if name in OURS else others
        port = server.open("slow", seconds=0.05)
        spool = spool_for(name)
        worker = Worker(name, "forks.family", url=port.url, children=children, spool=spool)
        worker.ready()
        worker.go()
        said = worker.hear(90) or {"hung": "?", "failed": 0}
        outcome = worker.finish(30)
        drain(port, name, spool)
        events = BEFORE + 2 * EACH * children
        lost, twice = report_on(port, events)
        malformed = port.report()["malformed"]
        port.close()
        cell = f"{said['hung']} / {lost} of {events} / {twice} / {malformed}"
        if said["failed"]:
            cell += f", {said['failed']} children fail"
        return cell if outcome.code is not None else f"{cell}, {HUNG} at close"

    says = "children that hang / lost / twice / malformed requests"
    return [Row(f"{ours} forks (peers {others}) with requests in flight", says, each(measure, at_once=4))]
