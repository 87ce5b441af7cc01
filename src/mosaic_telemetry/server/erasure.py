"""`DELETE /v1/instances/{instance_id}/events`: an instance's events, and its share of every prediction."""

from __future__ import annotations

from uuid import UUID

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine, UnknownInstanceError
from mosaic_telemetry.server.access import authenticate, is_admin
from mosaic_telemetry.server.errors import ApiError

__all__ = ["erase_events"]


async def erase_events(request: Request) -> Response:
    """Erase what an instance reported; for its own key, or the admin key.

    Raises:
        ApiError: 401, 403 with the key of another instance, 404 where there is no such instance.
    """
    engine: Engine = request.app.state.engine
    own = None if await is_admin(request) else await authenticate(request, engine)
    try:
        asked = UUID(request.path_params["instance_id"])
        if own is not None and own.instance_id != asked:
            raise ApiError(403, "this API key belongs to another instance; an instance's events are erased with its own key or the admin key")
        instance = await run_in_threadpool(engine.accounts.instance, asked)
    except (ValueError, UnknownInstanceError) as error:
        raise ApiError(404, f"there is no instance {request.path_params['instance_id']}") from error
    erased = await run_in_threadpool(engine.erase, instance)
    await run_in_threadpool(engine.accounts.note, "admin" if own is None else "instance", "instance.erase", instance.instance_id, events=erased)
    return Response(msgspec.json.encode({"instance_id": str(instance.instance_id), "erased": erased}), media_type="application/json")
