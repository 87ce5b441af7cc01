"""`GET /healthz`: the process runs. `GET /readyz`: it can do its work. `GET /metrics`: how it does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mosaic_telemetry._version import __version__
from mosaic_telemetry.engine import DatabaseError, Engine
from mosaic_telemetry.server.access import require_admin
from mosaic_telemetry.server.errors import ApiError
from mosaic_telemetry.server.metrics import CONTENT_TYPE
from mosaic_telemetry.server.state import state_of

__all__ = ["healthz", "metrics", "readyz"]

T = TypeVar("T")

_PATIENCE = 3.0
# A store that does not answer holds a thread each time that somebody asks for it, but never the server's loop, and never more than these.
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="mosaic-telemetry-probe")
_SIZES = {
    "backlog": ("uncounted_events", "Events that predictions do not count yet."),
    "cells": ("cells", "Statistics that predictions are read from."),
    "shares": ("shares", "What single instances have in cells."),
    "instances": ("instances", "Instances."),
    "api_keys": ("api_keys", "API keys, also those that do not work any more."),
}


async def healthz(_: Request) -> Response:
    """The process runs."""
    return JSONResponse({"status": "ok", "version": __version__})


async def readyz(request: Request) -> Response:
    """The database answers; a 503 otherwise."""
    engine: Engine = state_of(request).engine
    await _within(engine.check)
    return JSONResponse({"status": "ready"})


async def metrics(request: Request) -> Response:
    """What Prometheus asks for; on a public server with the admin key."""
    state = state_of(request)
    if state.metrics is None:
        raise ApiError(404, "this server tells no metrics; --metrics turns them on")
    if state.settings.public:
        await require_admin(request)
    try:
        sizes = await _within(state.engine.sizes)
    except (ApiError, DatabaseError):
        sizes = {}
    looked_up = [(*_SIZES[name], value) for name, value in sizes.items() if name in _SIZES]
    up = ("database_up", "Whether the database answers.", 1 if sizes else 0)
    return Response(state.metrics.text([up, *looked_up]), headers={"Content-Type": CONTENT_TYPE})


async def _within(ask: Callable[[], T]) -> T:
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(_THREADS, ask), _PATIENCE)
    except TimeoutError:
        raise ApiError(503, f"the database did not answer within {_PATIENCE:g} s", {"Retry-After": "5"}) from None
