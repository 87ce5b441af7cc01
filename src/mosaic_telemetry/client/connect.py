"""Opening a connection within a deadline: straight or through a proxy, in the clear or over TLS."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

__all__ = ["DeadlineSocket", "Target", "left", "open_socket"]

_MAX_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go.

    Attributes:
        host, port, tls: the server.
        netloc: the server as its URL names it, for the Host header.
        path: what stands before every path.
        proxy: host and port of the proxy, or None.
        proxy_authorization: value of the Proxy-Authorization header, or None.
    """

    host: str
    port: int
    tls: bool
    netloc: str
    path: str
    proxy: tuple[str, int] | None
    proxy_authorization: str | None

    @classmethod
    def of(cls, server_url: str) -> Target:
        """The target that a server's URL names, with the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY ask for."""
        parts = urlsplit(server_url)
        tls = parts.scheme == "https"
        host = parts.hostname or ""
        proxies = getproxies_environment()
        url = proxies.get(parts.scheme) or proxies.get("all")
        proxy, authorization = None, None
        if url and not proxy_bypass(parts.netloc.rpartition("@")[2]):
            named = urlsplit(url if "://" in url else f"http://{url}")
            proxy = (named.hostname or "", named.port or 80)
            if named.username is not None:
                pair = f"{unquote(named.username)}:{unquote(named.password or '')}"
                authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        netloc = parts.netloc.rpartition("@")[2]
        return cls(host, parts.port or (443 if tls else 80), tls, netloc, parts.path.rstrip("/"), proxy, authorization)


class DeadlineSocket:
    """A socket whose every operation ends by `deadline`, in seconds of `clock`.

    A socket's own timeout starts anew with every byte, so a peer that drips would hold a request for ever.
    """

    def __init__(self, sock: socket.socket, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._sock = sock
        self._clock = clock
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send all of `data`; raises OSError."""
        view = memoryview(data)
        while view:
            self._sock.settimeout(left(self.deadline, self._clock))
            view = view[self._sock.send(view) :]

    def receive_into(self, buffer: Any) -> int:
        """Read what is there into `buffer`; 0 at the end; raises OSError."""
        self._sock.settimeout(left(self.deadline, self._clock))
        return self._sock.recv_into(buffer)

    def start_tls(self, context: Any, host: str) -> None:
        """Go on over TLS; raises OSError."""
        self._sock.settimeout(left(self.deadline, self._clock))
        self._sock = context.wrap_socket(self._sock, server_hostname=host)

    def close(self) -> None:
        """Let go of the connection."""
        self._sock.close()


def open_socket(target: Target, deadline: float, context: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> DeadlineSocket:
    """Connect to a target.

    Args:
        target: where to.
        deadline: when it has to be done, in seconds of `clock`. Looking up a name is the one step that cannot be cut short.
        context: gives the TLS context.
        clock: monotonic seconds.

    Raises:
        OSError: nobody there, no TLS, a proxy that refuses, or too late.
    """
    sock = DeadlineSocket(_connect(*(target.proxy or (target.host, target.port)), deadline, clock), deadline, clock)
    try:
        if target.tls:
            if target.proxy is not None:
                _tunnel(sock, target)
            sock.start_tls(context(), target.host)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(host: str, port: int, deadline: float, clock: Callable[[], float]) -> socket.socket:
    failure: OSError = OSError(f"{host} has no address")
    # As bytes: for a text the sender would import the codec of international names, and a process forked at that moment could
    # look up no name again, neither ours nor its own.
    name = host.encode("ascii") if host.isascii() else host
    for family, kind, protocol, _, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left(deadline, clock))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _tunnel(sock: DeadlineSocket, target: Target) -> None:
    """Have the proxy pass bytes through (RFC 9110, section 9.3.6)."""
    name = f"[{target.host}]" if ":" in target.host else target.host
    lines = [f"CONNECT {name}:{target.port} HTTP/1.1", f"Host: {name}:{target.port}"]
    if target.proxy_authorization:
        lines.append(f"Proxy-Authorization: {target.proxy_authorization}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    head, byte = bytearray(), bytearray(1)
    while not head.endswith(b"\r\n\r\n"):  # byte by byte, since what follows the head is TLS already
        if len(head) > _MAX_HEAD or not sock.receive_into(byte):
            raise OSError("the proxy broke off")
        head += byte
    status = head.split(None, 2)[1:2]
    if status != [b"200"]:
        raise OSError(f"the proxy refuses: {head.split(bytes([13]), 1)[0].decode('latin-1')[:100]}")


def left(deadline: float, clock: Callable[[], float]) -> float:
    """Seconds until `deadline`; raises TimeoutError where there are none."""
    seconds = deadline - clock()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return min(seconds, 1e6)  # the platform's clocks overflow long before a float does
