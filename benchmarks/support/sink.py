"""A server in a process of its own that takes every client's events, counts them, and misbehaves on demand.

Run as a script it reads commands and writes answers, one JSON object a line: `open` a listener, set its `mode`, `report` what
it has received, `marks` of a range, `close` it. `support.server` is its client. Times are seconds of CLOCK_MONOTONIC, which all
processes of a machine share.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.dialects import MARK, dialect_of


@dataclass(slots=True)
class Listener:
    """One port and what came to it.

    Attributes:
        mode: what is done with a request: `kind` is `ok`, `status` (with `status`, `retry_after`), `refuse`, `black_hole`,
            `at_most` (413 above `events`), `poison` (400 when the body holds `mark`), `slow` (answers after
            `seconds`), `lost_answer` (takes the events and hangs up) or `drip`.
        counted: what a server counts: ids, or one number for each receipt where the client gives no ids.
        requests: when each request was read, and whether it was turned away.
    """

    port: int = 0
    server: asyncio.Server | None = None
    mode: dict[str, Any] = field(default_factory=lambda: {"kind": "ok"})
    marks: set[bytes] = field(default_factory=set)
    counted: set[bytes | int] = field(default_factory=set)
    received: int = 0
    requests: list[tuple[float, bool]] = field(default_factory=list)
    last_new: float = 0.0
    malformed: int = 0
    connections: set[Connection] = field(default_factory=set)

    def take(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Count the events of a body; gives the answer."""
        dialect = dialect_of(path)
        if dialect is None:
            self.malformed += 1
            return 404, "text/plain", b"no such path"
        marks = MARK.findall(body)
        self.received += len(marks)
        before = len(self.marks)
        self.marks.update(marks)
        if len(self.marks) > before:
            self.last_new = time.monotonic()
        if dialect.ids is None:
            self.counted.update(range(self.received - len(marks), self.received))
            return dialect.success(marks, ())
        ids = dialect.ids.findall(body)
        if len(ids) != len(marks):
            self.malformed += 1
        known = self.counted.intersection(ids)
        self.counted.update(ids)
        return dialect.success(ids, known)

    def refusal(self, body: bytes) -> tuple[int, str] | None:
        """Status and further headers of an answer that takes nothing; None to take the request."""
        kind = self.mode["kind"]
        if kind == "status":
            after = self.mode.get("retry_after")
            return self.mode["status"], f"Retry-After: {after}\r\n" if after is not None else ""
        if kind == "at_most" and len(MARK.findall(body)) > self.mode["events"]:
            return 413, ""
        if kind == "poison" and self.mode["mark"].encode() in body:
            return 400, ""
        return None

    def report(self) -> dict[str, Any]:
        """The counts so far."""
        return {
            "unique": len(self.marks),
            "counted": len(self.counted),
            "received": self.received,
            "requests": self.requests,
            "last_new": self.last_new,
            "malformed": self.malformed,
        }


class Connection(asyncio.Protocol):
    """HTTP/1.1 with a Content-Length, kept alive; anything else is malformed."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._data = bytearray()
        self._wanted = 0  # bytes of the request that is being read; 0 until its head is complete
        self._head: tuple[str, dict[str, str], int] = ("", {}, 0)
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._listener.connections.discard(self)
        if self._data and self._listener.mode["kind"] != "refuse":
            self._listener.malformed += 1

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._data:
            if not self._wanted and not self._read_head():
                return
            if len(self._data) < self._wanted:
                return
            path, headers, start = self._head
            body = bytes(memoryview(self._data)[start : self._wanted])
            del self._data[: self._wanted]
            self._wanted = 0
            if headers.get("content-encoding") in {"gzip", "deflate"}:
                body = gzip.decompress(body)
            self._answer(path, body)

    def _read_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._data[:end].decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        words = first.split(" ")
        if len(words) != 3 or words[0] != "POST" or "content-length" not in headers:
            self._listener.malformed += 1
            self._data.clear()
            self.transport.abort()
            return False
        self._head = (words[1], headers, end + 4)
        self._wanted = end + 4 + int(headers["content-length"])
        return True

    def _answer(self, path: str, body: bytes) -> None:
        listener = self._listener
        kind = listener.mode["kind"]
        refusal = listener.refusal(body)
        listener.requests.append((time.monotonic(), refusal is not None or kind == "black_hole"))
        if kind == "black_hole":
            return
        if refusal is not None:
            status, more = refusal
            content_type, answer = "application/json", b'{"error": "no"}'
        else:
            (status, content_type, answer), more = listener.take(path, body), ""
        head = f"HTTP/1.1 {status} -\r\nContent-Type: {content_type}\r\nContent-Length: {len(answer)}\r\n{more}\r\n".encode()
        if kind == "drip":
            asyncio.get_running_loop().create_task(self._drip(head + answer), name="drip").add_done_callback(asyncio.Task.result)
        elif kind == "lost_answer":
            self.transport.abort()
        elif kind == "slow":
            asyncio.get_running_loop().call_later(listener.mode["seconds"], self.transport.write, head + answer)
        else:
            self.transport.write(head + answer)

    async def _drip(self, data: bytes) -> None:
        for byte in data:
            if self.transport.is_closing():
                return
            self.transport.write(bytes([byte]))
            await asyncio.sleep(0.3)


class Sink:
    """The listeners and the commands that change them."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    async def obey(self, command: dict[str, Any]) -> Any:
        """Carry out a command; gives its answer."""
        word = command["command"]
        if word == "open":
            listener = Listener()
            await self._listen(listener)
            self._listeners.append(listener)
            return {"id": len(self._listeners) - 1, "port": listener.port}
        listener = self._listeners[command["id"]]
        if word == "mode":
            listener.mode = command["mode"]
            if listener.mode["kind"] == "refuse":
                self._refuse(listener)
            elif listener.server is None:
                await self._listen(listener)
        elif word == "report":
            return listener.report()
        elif word == "marks":
            return sum(b"%08d" % number in listener.marks for number in range(*command["range"]))
        elif word == "close":
            self._refuse(listener)
            self._listeners[command["id"]] = Listener()
        return {}

    async def _listen(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        listener.server = await loop.create_server(lambda: Connection(listener), "127.0.0.1", listener.port, backlog=256)
        listener.port = listener.server.sockets[0].getsockname()[1]

    @staticmethod
    def _refuse(listener: Listener) -> None:
        if listener.server is not None:
            listener.server.close()
            listener.server = None
        for connection in list(listener.connections):
            connection.transport.abort()


async def main() -> None:
    """Obey commands until standard input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    sink = Sink()
    while line := await reader.readline():
        print(json.dumps(await sink.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
