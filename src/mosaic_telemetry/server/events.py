"""`POST /v1/events/batch`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.server.access import authenticate, read_body

__all__ = ["submit_events"]


async def submit_events(request: Request) -> Response:
    """Take a batch; the answer comes when its events are durable."""
    engine: Engine = request.app.state.engine
    instance = authenticate(request, engine)
    submission = engine.submit(instance, await read_body(request))
    new = await asyncio.wrap_future(submission.stored)
    return Response(submission.encode(new), 202, media_type="application/json")
