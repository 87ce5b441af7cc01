"""Answers while the database is being opened: to bring its tables up to date may take minutes, in which probes and clients are told so."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mosaic_telemetry.server.health import healthz
from mosaic_telemetry.server.manners import Manners
from mosaic_telemetry.server.run import configuration
from mosaic_telemetry.server.settings import Settings

__all__ = ["answering_meanwhile"]

_log = logging.getLogger(__name__)

_SOON = 0.5
"""Seconds for which clients may wait unanswered: most databases are open by then."""
_STOP_SECONDS = 1
_NOT_YET = "the server is starting: its database is being opened, and brought up to date (migrating); try again in a moment"


@contextmanager
def answering_meanwhile(listen: Callable[[], socket.socket], settings: Settings) -> Iterator[None]:
    """While the block lasts, `/healthz` answers that the process runs, and all else is a 503 with `Retry-After`; nothing is done if it is short.

    Args:
        listen: a socket that listens, which is closed in the end.
        settings: for what all answers have in common.
    """
    opened = threading.Event()
    thread = threading.Thread(target=_answer, args=(listen, settings, opened), name="mosaic-telemetry-opening", daemon=True)
    thread.start()
    try:
        yield
    finally:
        opened.set()
        thread.join()


class _Server(uvicorn.Server):
    """Answers until an event."""

    def __init__(self, config: uvicorn.Config, end: threading.Event) -> None:
        super().__init__(config)
        self._end = end

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._end.is_set()


def _answer(listen: Callable[[], socket.socket], settings: Settings, opened: threading.Event) -> None:
    if opened.wait(_SOON):
        return
    try:
        bound = listen()
        _log.warning("the database is being opened, and brought up to date; until then port %d answers 503", bound.getsockname()[1])
        _Server(configuration(_app(settings), settings.patience, _STOP_SECONDS), opened).run(sockets=[bound])
    except Exception:  # noqa: BLE001 - the database is opened all the same
        _log.exception("nobody is answered while the database is being opened")


def _app(settings: Settings) -> ASGIApp:
    routed = Starlette(routes=[Route("/healthz", healthz, methods=["GET"])])
    routed.router.default = _not_yet
    return Manners(routed, routed, settings, None)


async def _not_yet(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"error": _NOT_YET}, 503, {"Retry-After": "5"})(scope, receive, send)
