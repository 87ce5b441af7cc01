"""`POST /v1/events/batch`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine
from mosaic_telemetry.server.access import authenticate
from mosaic_telemetry.server.bodies import ACCEPTED_CODINGS, read_body
from mosaic_telemetry.server.state import state_of

__all__ = ["submit_events"]


async def submit_events(request: Request) -> Response:
    """Take a batch; the answer comes when its events are durable."""
    engine: Engine = request.app.state.engine
    engine.check_room()  # before all else: to refuse must cost next to nothing
    instance = await authenticate(request, engine)
    submission = engine.submit(instance, await read_body(request))
    with state_of(request).tracing.span("store events"):
        new = await asyncio.wrap_future(submission.stored)
    return Response(submission.encode(new), 202, {"Accept-Encoding": ACCEPTED_CODINGS}, media_type="application/json")
