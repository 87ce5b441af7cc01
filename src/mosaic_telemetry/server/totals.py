"""`GET /v1/totals`: the daily totals of all events, for those who may report."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine, FormError
from mosaic_telemetry.engine.reporting import day_of
from mosaic_telemetry.server.access import authenticate

__all__ = ["daily_totals"]

_DAYS = 7
_MOST_DAYS = 3660


async def daily_totals(request: Request) -> Response:
    """One row for each day (UTC, of the events' timestamps) and set of dimensions, from `since` to `until`, both included; the last 7 days by default.

    Raises:
        ApiError: 401.
        FormError: a day is none, or they are too many.
    """
    engine: Engine = request.app.state.engine
    await authenticate(request, engine)
    until = _day(request, "until", datetime.now(UTC).date())
    since = _day(request, "since", until - timedelta(days=_DAYS - 1))
    if not 0 <= (until - since).days <= _MOST_DAYS:
        raise FormError(f"since: {since} to {until} is no stretch of 1 to {_MOST_DAYS} days")
    found = await run_in_threadpool(engine.totals, since, until)
    rows = [{**key._asdict(), "day": day_of(key.day).isoformat(), **total._asdict()} for key, total in found.items()]
    body = {"since": since.isoformat(), "until": until.isoformat(), "totals": rows}
    return Response(msgspec.json.encode(body), media_type="application/json")


def _day(request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    try:
        return default if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise FormError(f"{name}: {text!r} is no day such as 2026-02-07") from error
