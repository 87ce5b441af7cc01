"""A process that sends batches, and says what became of them.

    cd benchmarks; python -m ingesting.generator PORT API_KEY INSTANCE_ID [--seconds S] [--rate EVENTS] [--connections N] [--ids 7|4]

Without a rate each connection sends its next batch when the last one is answered. With one, batches are due at fixed times, whatever the server
does, and latency counts from when a batch was due: a server that stalls cannot hide it. A batch that was refused is sent again, with the same
ids, as a client would; its latency counts from when it was sent. Prints one line of JSON (see `Report`).
"""

from __future__ import annotations

import argparse
import json
import resource
import selectors
import socket
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field

from support.tables import quantile

from ingesting.bodies import BATCH, Bodies

_ACCEPTED = b'"accepted":'


@dataclass
class Report:
    """What became of the batches that were answered.

    Attributes:
        seconds: how long it was measured.
        accepted: events.
        rejected: events.
        statuses: answers by HTTP status.
        p50_ms: median latency of 202s.
        p99_ms: 99th percentile.
        worst_ms: the longest.
        refused_p50_ms: median time from sending to another answer.
        refused_p99_ms: 99th percentile.
        without_retry_after: answers 429 and 503 that do not say when to come again.
        broken: connections that ended without an answer.
        cpu: of this process, in processors.
    """

    seconds: float = 0
    accepted: int = 0
    rejected: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    p50_ms: float = 0
    p99_ms: float = 0
    worst_ms: float = 0
    refused_p50_ms: float = 0
    refused_p99_ms: float = 0
    without_retry_after: int = 0
    broken: int = 0
    cpu: float = 0


class _Connection:
    def __init__(self, port: int) -> None:
        self.port = port
        self.sock = self.open()
        self.out = memoryview(b"")
        self.answer = b""
        self.due = self.sent = 0.0
        self.body = b""

    def open(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
        sock.setblocking(False)
        return sock


class Generator:
    """Keeps connections busy.

    Args:
        port: of the server, on this machine.
        api_key: under which to report.
        bodies: what to send.
        connections: how many.
        rate: events a second; None for as many as are answered.
    """

    def __init__(self, port: int, api_key: str, bodies: Bodies, connections: int = 16, rate: float | None = None) -> None:
        self._bodies = bodies
        self._head = f"POST /v1/events/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {api_key}\r\nContent-Type: application/json\r\n"
        self._interval = BATCH / rate if rate else 0.0
        self._idle = deque(_Connection(port) for _ in range(connections))
        self._busy: set[_Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._latencies: list[float] = []
        self._refused: list[float] = []
        self._refused_bodies: deque[bytes] = deque()
        self._statuses: Counter[int] = Counter()
        self._report = Report()

    def run(self, seconds: float) -> Report:
        """Send for so long, then wait for the answers that are missing."""
        begin = due = time.perf_counter()
        cpu = _cpu()
        end = begin + seconds
        while (now := time.perf_counter()) < end:
            while self._idle and (not self._interval or due <= now):
                self._send(self._idle.popleft(), due if self._interval else time.perf_counter())
                due += self._interval
            self._wait(min(0.05, max(0.0, due - now)) if self._interval and self._idle else 0.05)
        measured = time.perf_counter() - begin
        counted = (self._report.accepted, self._report.rejected)
        late = time.perf_counter() + 10
        while self._busy and time.perf_counter() < late:
            self._wait(0.05)
        report = self._report
        report.seconds = measured
        report.accepted, report.rejected = counted  # what came in time
        report.cpu = (_cpu() - cpu) / measured
        report.statuses = dict(self._statuses)
        ordered = sorted(self._latencies) or [0.0]
        report.p50_ms, report.p99_ms, report.worst_ms = (value * 1000 for value in (quantile(ordered, 0.5), quantile(ordered, 0.99), ordered[-1]))
        refused = sorted(self._refused) or [0.0]
        report.refused_p50_ms, report.refused_p99_ms = (quantile(refused, share) * 1000 for share in (0.5, 0.99))
        return report

    def _send(self, connection: _Connection, due: float) -> None:
        body = connection.body = self._refused_bodies.popleft() if self._refused_bodies else self._bodies.make()
        connection.out = memoryview(f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.answer = b""
        connection.due, connection.sent = due, time.perf_counter()
        self._busy.add(connection)
        self._selector.register(connection.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
        self._push(connection)

    def _push(self, connection: _Connection) -> None:
        try:
            connection.out = connection.out[connection.sock.send(connection.out) :]
        except BlockingIOError:
            return
        except OSError:
            connection.out = memoryview(b"")  # the answer may be there all the same
        if not connection.out:
            self._selector.modify(connection.sock, selectors.EVENT_READ, connection)

    def _wait(self, timeout: float) -> None:
        if not self._busy:
            time.sleep(timeout)
            return
        for key, ready in self._selector.select(timeout):
            connection: _Connection = key.data
            if ready & selectors.EVENT_WRITE:
                self._push(connection)
            if ready & selectors.EVENT_READ:
                self._read(connection)

    def _read(self, connection: _Connection) -> None:
        try:
            chunk = connection.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        connection.answer += chunk
        head, found, body = connection.answer.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        if chunk and (not found or len(body) < length):
            return
        self._selector.unregister(connection.sock)
        self._busy.discard(connection)
        if found and len(body) >= length:
            self._note(connection, head.lower(), body)
        else:
            self._report.broken += 1
        if connection.out or not chunk or b"connection: close" in head.lower():
            connection.sock.close()
            connection.sock = connection.open()
        self._idle.append(connection)

    def _note(self, connection: _Connection, head: bytes, body: bytes) -> None:
        status = int(head[9:12])
        self._statuses[status] += 1
        now = time.perf_counter()
        if status in {200, 202}:
            self._latencies.append(now - connection.due)
            place = body.index(_ACCEPTED) + len(_ACCEPTED)
            accepted = int(body[place : place + 5].split(b",")[0])
            self._report.accepted += accepted
            self._report.rejected += BATCH - accepted
        else:
            self._refused.append(now - connection.sent)
            self._refused_bodies.append(connection.body)
            if status in (429, 503) and b"\r\nretry-after:" not in head:
                self._report.without_retry_after += 1


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("instance")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--ids", type=int, choices=(4, 7), default=7)
    given = parser.parse_args()
    generator = Generator(given.port, given.key, Bodies(given.instance, given.ids), given.connections, given.rate)
    print(json.dumps(asdict(generator.run(given.seconds))))


if __name__ == "__main__":
    main()
