"""One HTTP request with a deadline over all of it, on `http.client`, on a connection that is kept.

`http.client` and `ssl` are imported with this module, which only a sender does: they would be most of the time that
`import mosaic_telemetry` takes.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Protocol

from mosaic_telemetry.client.connect import DeadlineSocket, Target, open_socket
from mosaic_telemetry.client.errors import TransportError
from mosaic_telemetry.schema.errors import one_line

__all__ = ["HTTPTransport", "Reply", "Transport"]

_MAX_REPLY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """What carries a request to the server."""

    def request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Reply:
        """Send a request and read its answer within `timeout` seconds in all; raises `TransportError`."""

    def close(self) -> None:
        """Give up the connection."""


class HTTPTransport:
    """Requests to one server over a kept connection. Used by one thread at a time.

    Args:
        server_url: the server.
        ca_file: a file of further certificates to trust; SSL_CERT_FILE is honoured without it.
        clock: monotonic seconds.
    """

    def __init__(self, server_url: str, ca_file: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = Target.of(server_url)
        self._ca_file = ca_file
        self._clock = clock
        self._connection: _Connection | None = None
        self._context: Any = None

    def request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Reply:
        """Send a request and read its answer.

        A kept connection that the server has closed meanwhile is opened anew once: the request had not been read then.

        Args:
            method: the HTTP method.
            path: the path below the server's URL.
            body: the body, if any.
            headers: further headers.
            timeout: seconds for all of it: connect, send, wait and read.

        Raises:
            TransportError: no answer, or one that is not HTTP, is too long, or came too late.
        """
        deadline = self._clock() + timeout
        kept = self._connection is not None
        try:
            return self._exchange(method, path, body, headers, deadline)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            stale = kept and isinstance(error, ConnectionError)  # RemoteDisconnected is one
            if not stale:
                raise TransportError(_reason(error, timeout)) from error
        try:
            return self._exchange(method, path, body, headers, deadline)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise TransportError(_reason(error, timeout)) from error

    def close(self) -> None:
        """Give up the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], deadline: float) -> Reply:
        target = self._target
        connection = self._connection
        if connection is None:
            sock = open_socket(target, deadline, self._tls_context, self._clock)
            connection = self._connection = _Connection(target.host, target.port, _Stream(sock))
        connection.sock.socket.deadline = deadline
        through_proxy = target.proxy is not None and not target.tls
        url = f"http://{target.netloc}{target.path}{path}" if through_proxy else target.path + path
        connection.putrequest(method, url, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", target.netloc)
        if through_proxy and target.proxy_authorization:
            connection.putheader("Proxy-Authorization", target.proxy_authorization)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        try:
            connection.endheaders(body)
        except (BrokenPipeError, ConnectionResetError):
            # A server may refuse a body before it has read all of it, and close; its answer waits here then.
            answered_early = True
        else:
            answered_early = False
        with connection.getresponse() as response:
            data = _read(response)
        reply = Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, data)
        if response.will_close or answered_early:
            self.close()
        return reply

    def _tls_context(self) -> Any:
        if self._context is None:
            import ssl

            self._context = ssl.create_default_context()
            if self._ca_file is not None:
                self._context.load_verify_locations(self._ca_file)
        return self._context


def _read(response: HTTPResponse) -> bytes:
    data = response.read(_MAX_REPLY + 1)
    if len(data) > _MAX_REPLY:
        raise HTTPException(f"the answer is longer than {_MAX_REPLY:,} bytes")
    response.read()  # marks the answer as read, so that the connection can be kept
    return data


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {round(timeout, 3):g} s"
    return one_line(str(error)) or type(error).__name__


class _Connection(HTTPConnection):
    """A connection over a socket that is open already."""

    sock: _Stream

    def __init__(self, host: str, port: int, sock: _Stream) -> None:
        super().__init__(host, port)
        self.sock = sock
        self.auto_open = 0  # a closed one stays closed: opening is ours, within the deadline


class _Stream:
    """What `http.client` needs of a socket, and no more. It stays open until the answer that is being read is read."""

    def __init__(self, sock: DeadlineSocket) -> None:
        self.socket = sock
        self.sendall = sock.sendall
        self._reading = 0
        self._closed = False

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"  # noqa: S101 - http.client reads, and writes through sendall
        self._reading += 1
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        # http.client closes a connection that is not to be kept before it reads the answer's body.
        self._closed = True
        if not self._reading:
            self.socket.close()

    def reader_closed(self) -> None:
        self._reading -= 1
        if self._closed and not self._reading:
            self.socket.close()


class _Reader(io.RawIOBase):
    """The reading side of one answer; closing it leaves the socket open for the next one."""

    def __init__(self, stream: _Stream) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._stream.socket.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream.reader_closed()
