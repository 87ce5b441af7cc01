"""One HTTP request with a deadline over all of it, on `http.client`, on a connection that is kept.

The socket's own timeout starts anew with every byte, so a server that drips would hold a request for ever. Here every
operation on the socket gets what is left of the request's time. `http.client` and `ssl` are imported with this module,
which only a sender does: they would be most of the time that `import mosaic_telemetry` takes.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Protocol
from urllib.parse import urlsplit

from mosaic_telemetry.client.errors import TransportError

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
    """Requests to one server over a kept connection. Used by one thread at a time."""

    def __init__(self, server_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(server_url)
        self._tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._netloc = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
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
        connection = self._connection
        if connection is None:
            connection = _Connection(self._host, self._port, self._connect(deadline))
            self._connection = connection
        connection.sock.deadline = deadline
        connection.putrequest(method, self._prefix + path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self._netloc)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        data = _read(response)
        reply = Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, data)
        if response.will_close:
            self.close()
        return reply

    def _connect(self, deadline: float) -> _DeadlineSocket:
        failure: OSError = OSError("the host has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_left(deadline, self._clock))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    sock.settimeout(_left(deadline, self._clock))
                    sock = self._tls_context().wrap_socket(sock, server_hostname=self._host)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return _DeadlineSocket(sock, deadline, self._clock)
        raise failure

    def _tls_context(self) -> Any:
        if self._context is None:
            import ssl

            self._context = ssl.create_default_context()
        return self._context


def _read(response: HTTPResponse) -> bytes:
    data = response.read(_MAX_REPLY + 1)
    if len(data) > _MAX_REPLY:
        raise HTTPException(f"the answer is longer than {_MAX_REPLY:,} bytes")
    response.read()  # marks the answer as read, so that the connection can be kept
    return data


def _left(deadline: float, clock: Callable[[], float]) -> float:
    left = deadline - clock()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    return str(error) or type(error).__name__


class _Connection(HTTPConnection):
    """A connection over a socket that is open already."""

    sock: _DeadlineSocket

    def __init__(self, host: str, port: int, sock: _DeadlineSocket) -> None:
        super().__init__(host, port)
        self.sock = sock
        self.auto_open = 0  # a closed one stays closed: opening is ours, within the deadline


class _DeadlineSocket(io.RawIOBase):
    """A socket whose every operation ends by `deadline`; what `http.client` needs of a socket, and no more."""

    def __init__(self, sock: socket.socket, deadline: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self._sock = sock
        self._clock = clock
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._sock.settimeout(_left(self.deadline, self._clock))
            view = view[self._sock.send(view) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"  # noqa: S101 - http.client reads, and writes through sendall
        return io.BufferedReader(_Reader(self))

    def receive_into(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self.deadline, self._clock))
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._sock.close()


class _Reader(io.RawIOBase):
    """The reading side of one answer; closing it leaves the socket open for the next one."""

    def __init__(self, sock: _DeadlineSocket) -> None:
        super().__init__()
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._sock.receive_into(buffer)
