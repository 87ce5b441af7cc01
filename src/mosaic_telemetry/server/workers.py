"""The processes of a server with several workers: each worker answers requests on a socket of its own, and one keeper keeps the cells."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

from starlette.types import ASGIApp

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.server.patience import Patience
from mosaic_telemetry.server.run import bind, run
from mosaic_telemetry.server.supervisor import Role, Supervisor

__all__ = ["listening", "reserve", "run_workers"]

# Elsewhere a second socket on the port would get all connections or none: there the workers take turns at one.
_BALANCED = sys.platform == "linux"


def reserve(host: str, port: int) -> socket.socket:
    """An address for several workers: nothing is heard on it before `run_workers`.

    Raises:
        OSError: the address is no address of this machine, or is in use.
    """
    first = bind(host, port)  # by itself, so that an address that another server uses, whoever's it is, is refused
    if not _BALANCED:
        return first
    with first:
        address = first.getsockname()
    return _sharing(first.family, address)


def run_workers(  # noqa: PLR0913 - as the one process has them, and how many
    workers: int,
    reserved: socket.socket,
    make_app: Callable[[Engine], AbstractContextManager[ASGIApp]],
    open_engine: Callable[[bool], AbstractContextManager[Engine]],
    ready: Callable[[], None],
    *,
    patience: Patience | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, with so many workers; returns the exit code.

    Args:
        workers: how many processes answer requests.
        reserved: the address, from `reserve`; it stays the caller's to close.
        make_app: the application on an engine, as long as it is used; called in each process.
        open_engine: a new engine, which keeps the cells itself or does not; called in each process.
        ready: called when requests will be answered.
        patience: how long clients are waited for, and how many each worker holds.
    """

    def work(tell: Callable[[], None]) -> None:
        with open_engine(False) as engine, make_app(engine) as app:
            run(app, listening(reserved), tell, patience=patience)

    def keep(tell: Callable[[], None]) -> None:
        stopped = threading.Event()

        def stop(_: int, __: FrameType | None) -> None:
            stopped.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        with open_engine(True):
            tell()
            stopped.wait()

    roles = [Role(f"worker {number}", work) for number in range(1, workers + 1)]
    return Supervisor([*roles, Role("keeper", keep, last=True)], ready).run()


def listening(reserved: socket.socket) -> socket.socket:
    """A socket that listens at an address from `reserve`, to be closed by whoever uses it."""
    if not _BALANCED:
        return reserved.dup()
    bound = _sharing(reserved.family, reserved.getsockname())
    bound.listen(2048)
    return bound


def _sharing(family: int, address: Any) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound
