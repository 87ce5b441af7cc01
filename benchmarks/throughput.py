"""How many events a second arrive? From the first call until the sink has all of 100,000.

No queue may overflow: each client is told to hold all events where it lets one say so; where it does not (sentry-sdk: 1,000 logs;
ours with the spool: 10 MB) the program waits while the client's queue is nearly full. At the end the client is told to flush.
Every round measures every client once in a fresh process; the best round counts, since on a shared machine noise only slows.
"""

from __future__ import annotations

import socket
import time
from typing import Any
from urllib.parse import urlsplit

from peers import CLIENTS, PEERS
from support.environment import require_peers
from support.payload import INSTANCE_ID, marked
from support.server import Server
from support.tables import arguments, ratio, table
from support.workers import Worker

EVENTS = 100_000


def measure(rounds: int, events: int) -> dict[str, dict[str, float]]:
    """Events a second and microseconds of processor time an event, by client."""
    found: dict[str, dict[str, float]] = {name: {"rate": 0.0, "cpu": float("inf"), "missing": 0} for name in CLIENTS}
    with Server() as server:
        for _ in range(rounds):
            for name in CLIENTS:
                one = _once(server, name, events)
                best = found[name]
                best["rate"] = max(best["rate"], one["rate"])
                best["cpu"] = min(best["cpu"], one["cpu"])
                best["missing"] = max(best["missing"], one["missing"])
        found["sink"] = {"rate": max(_alone(server) for _ in range(rounds)), "cpu": 0.0, "missing": 0}
    return found


def _once(server: Server, name: str, events: int) -> dict[str, float]:
    port = server.open()
    worker = Worker(name, "delivery.throughput", url=port.url, events=events)
    worker.ready()
    worker.go()
    times = worker.hear(120)
    if times is None:
        raise RuntimeError(f"{name} did not deliver: {worker.finish(0).errors[-2000:]}")
    port.wait_for(events, 20)
    worker.go()
    cpu = worker.finish(30).result["cpu"]
    report = port.report()
    port.close()
    unique = report["unique"]
    return {"rate": unique / (report["last_new"] - times["begin"]), "cpu": cpu / max(unique, 1) * 1e6, "missing": events - unique}


def _alone(server: Server, batches: int = 400) -> float:
    """Events a second that the sink itself takes, from a client that does nothing but write what is ready on one connection."""
    port = server.open()
    host = urlsplit(port.url)
    requests = []
    for batch in range(batches):
        events = (
            f'{{"event_id":"{number:08d}-0000","instance_id":"{INSTANCE_ID}","model":"{marked(number)}","padding":"{"x" * 500}"}}'
            for number in range(batch * 100, batch * 100 + 100)
        )
        body = '{"events":[' + ",".join(events) + "]}"
        requests.append(f"POST /v1/events/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    with socket.create_connection((host.hostname or "", host.port or 0)) as sock:
        begin = time.monotonic()
        for request in requests:
            sock.sendall(request)
            while not sock.recv(1 << 16).endswith(b"]}"):
                continue
        seconds = time.monotonic() - begin
    port.close()
    return batches * 100 / seconds


def render(measured: dict[str, dict[str, float]], events: int) -> str:
    """The table."""
    best = max(measured[name]["rate"] for name in PEERS)
    rows = [
        [client.label, f"{one['rate']:,.0f}", ratio(one["rate"], best), f"{one['cpu']:.0f}", f"{one['missing']:,.0f}"]
        for name, client in CLIENTS.items()
        for one in [measured[name]]
    ]
    rows.append(["the sink alone", f"{measured['sink']['rate']:,.0f}", ratio(measured["sink"]["rate"], best), "-", "-"])
    return table([f"{events:,} events", "delivered events/s", "of the best peer", "µs of CPU an event", "missing"], rows)


def main(given: Any) -> str:
    """Measure; gives the table."""
    require_peers()
    events = EVENTS // 10 if given.quick else EVENTS
    return render(measure(given.rounds, events), events)


if __name__ == "__main__":
    print(main(arguments(__doc__, rounds=(2, 1))))
