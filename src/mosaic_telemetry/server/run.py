"""Running the application: the socket, the process's signals, uvicorn."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from mosaic_telemetry.server.patience import Patience

__all__ = ["bind", "configuration", "run"]

_STOP_SECONDS = 20
_BACKLOG = 2048
_SWITCH_SECONDS = 0.0001


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address, for any free port where `port` is 0.

    Raises:
        OSError: the address is no address of this machine, or is in use.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _http(patience: Patience) -> type[asyncio.Protocol] | Literal["h11"]:
    """How HTTP is spoken: with httptools where it is, and its limits; else with h11, which has some of its own."""
    try:
        from mosaic_telemetry.server.protocol import patient
    except ImportError:
        return "h11"
    return patient(patience)


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def configuration(app: ASGIApp, patience: Patience, stop_seconds: int) -> uvicorn.Config:
    """How uvicorn is to run an application.

    Args:
        app: the application.
        patience: how long clients are waited for, and how many are held.
        stop_seconds: given to requests under way when it stops.
    """
    return uvicorn.Config(
        app,
        loop="auto",
        http=_http(patience),
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=stop_seconds,
    )


def run(app: ASGIApp, bound: socket.socket, ready: Callable[[], None], *, patience: Patience | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests that are under way.

    Args:
        app: the application.
        bound: the socket to listen on; closed at the end.
        ready: called when requests will be answered.
        patience: how long clients are waited for, and how many are held.
    """
    server = _Server(configuration(app, patience or Patience(), _STOP_SECONDS), ready)

    def stop(_: int, __: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn puts its own handlers over these while it runs, and raises the signal again when it has stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # What was imported never becomes garbage; looking through it again and again while events wait costs more than it frees.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    # The thread that writes holds the database while it waits for the interpreter: not for 5 ms, as it would by default.
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        server.run(sockets=[bound])
    finally:
        bound.close()
