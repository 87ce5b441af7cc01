"""HTTP/1.1 from clients that one cannot rely on: limits of time and size below the application, on top of uvicorn's protocol.

A connection gets so long for the headers of a request, for a whole request, and for taking in a piece of the answer; headers may be
so large, and so many connections are held. What is refused here is answered in the API's form, since the application never sees it.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import TimerHandle
from collections.abc import Callable
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mosaic_telemetry.server.patience import Patience

__all__ = ["Protocol", "patient"]

MAX_HEAD_BYTES = 32 << 10

_HEAD_TOO_LARGE = f"the request line and headers are larger than {MAX_HEAD_BYTES:,} bytes"


async def _refuse_head(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"error": _HEAD_TOO_LARGE}, 431, {"Connection": "close"})(scope, receive, send)


class _Timer:
    def __init__(self) -> None:
        self._handle: TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._handle is not None

    def start(self, loop: asyncio.AbstractEventLoop, seconds: float, late: Callable[[], None]) -> None:
        self.stop()
        self._handle = loop.call_later(seconds, late)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class Protocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        patience: how long the client is waited for; the same for all of a server.
    """

    patience = Patience()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client has come."""
        self._head_timer, self._request_timer, self._write_timer = _Timer(), _Timer(), _Timer()
        self._in_head = True
        self._head_bytes = 0
        super().connection_made(transport)
        if len(self.connections) > self.patience.connections:
            self._refuse(503, f"the server holds {self.patience.connections:,} connections already; try again in a moment", "retry-after: 1\r\n")
        else:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._head_timer.stop()
        self._request_timer.stop()
        self._write_timer.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """It has sent something."""
        if self.transport.is_closing():
            return
        if not self._request_timer.runs:
            self._begin()
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, _HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        if not self._request_timer.runs:  # a second request in the same piece of data
            self._begin()

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._in_head = False
        self._head_timer.stop()
        app = self.app
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            self.app = _refuse_head
        super().on_headers_complete()
        self.app = app

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._request_timer.stop()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read its answer as fast as it is written."""
        super().pause_writing()
        self._write_timer.start(self.loop, self.patience.answer, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        self._write_timer.stop()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        del msg
        self._refuse(400, "this is no HTTP/1.1 request")

    def _begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._head_timer.start(self.loop, self.patience.head, self._head_late)
        self._request_timer.start(self.loop, self.patience.request, self.transport.abort)

    def _head_late(self) -> None:
        if self._head_bytes:
            self._refuse(408, f"the headers of the request did not come within {self.patience.head:g} seconds")
        else:
            self.transport.close()  # it never asked for anything

    def _refuse(self, status: int, error: str, headers: str = "") -> None:
        body = json.dumps({"error": error})
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n{headers}content-length: {len(body)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n{body}".encode())
        self.transport.close()


def patient(given: Patience) -> type[Protocol]:
    """Connections that wait so long for their clients."""

    class _Patient(Protocol):
        patience = given

    return _Patient
