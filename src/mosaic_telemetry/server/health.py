"""`GET /healthz`: the process runs. `GET /readyz`: it can do its work."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mosaic_telemetry._version import __version__
from mosaic_telemetry.engine import Engine

__all__ = ["healthz", "readyz"]


async def healthz(_: Request) -> Response:
    """The process runs."""
    return JSONResponse({"status": "ok", "version": __version__})


async def readyz(request: Request) -> Response:
    """The database answers; a 503 otherwise."""
    engine: Engine = request.app.state.engine
    engine.check()
    return JSONResponse({"status": "ready"})
