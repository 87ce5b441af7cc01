"""No client, but the least that one can do which keeps events on disk and sends them from a thread.

One `os.write` a call, and a thread that joins a hundred lines, posts them and reads the answer: no lock, no JSON, no check of
what came back. Its quantiles show what two threads of one interpreter cost each other on this machine, whoever wrote them.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Iterable
from urllib.parse import urlsplit

from support.payload import API_KEY, INSTANCE_ID, fields

from mosaic_telemetry import EventBuilder, TelemetryConfig
from mosaic_telemetry.schema import encode_event
from peers.base import Settings

_BATCH = 100


class Least:
    """See above."""

    def __init__(self, settings: Settings) -> None:
        parts = urlsplit(settings.url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._build = EventBuilder(TelemetryConfig(settings.url, API_KEY, INSTANCE_ID)).build
        self._file, _ = tempfile.mkstemp()
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        threading.Thread(target=self._send, daemon=True).start()

    def prepare(self, numbers: Iterable[int]) -> list[bytes]:
        """Events in their JSON form."""
        return [encode_event(self._build(**fields(number))) + b"\n" for number in numbers]

    def report(self, line: bytes) -> None:
        """Write it down, and queue it."""
        os.write(self._file, line)
        self._lines.append(line)
        if not len(self._lines) % _BATCH:
            self._wake.set()

    def _send(self) -> None:
        buffer = bytearray(65536)
        while self._wake.wait():
            self._wake.clear()
            while len(self._lines) >= _BATCH:
                body = b'{"events":[' + b",".join([self._lines.popleft() for _ in range(_BATCH)]) + b"]}"
                head = f"POST /v1/events/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
                self._socket.sendall(head.encode() + body)
                self._socket.recv_into(buffer)

    def full(self) -> bool:
        """There is no bound."""
        return False

    def flush(self) -> bool:
        """Nothing that anybody measures."""
        return False

    def close(self) -> bool:
        """As `flush`."""
        return False
