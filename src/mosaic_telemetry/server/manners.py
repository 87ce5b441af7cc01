"""What every answer has in common: a request id, a few headers, CORS where it is allowed, OPTIONS, a line in the log, a number in the metrics.

No exception gets past this: its answer is a 500 without a stack trace, and the log has the rest.
"""

from __future__ import annotations

import logging
import re
import time
from secrets import token_hex

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mosaic_telemetry.server.logs import REQUEST_ID
from mosaic_telemetry.server.metrics import Metrics
from mosaic_telemetry.server.settings import Settings

__all__ = ["Manners", "allowed_methods"]

_log = logging.getLogger("mosaic_telemetry.requests")

_READABLE_ANYWHERE = frozenset({"/v1/predictions", "/v1/predictions/batch", "/v1/openapi.json"})
_EXPOSED = "ETag, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"
_ASKED_WITH = "Content-Type, Content-Encoding, If-None-Match, X-Request-ID"
_A_DAY = "86400"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def allowed_methods(app: Starlette, scope: Scope) -> list[str]:
    """The methods that there are at a request's path, in order; none where there is nothing."""
    methods: set[str] = set()
    for route in app.routes:
        if isinstance(route, Route) and route.matches(scope)[0] != Match.NONE:
            methods |= route.methods or set()
    return sorted(methods | {"OPTIONS"}) if methods else []


class Manners:
    """Middleware around the whole application.

    Args:
        app: what answers.
        routes: the application whose routes `OPTIONS` tells.
        settings: for CORS.
        metrics: where each request is counted; None for nowhere.
    """

    def __init__(self, app: ASGIApp, routes: Starlette, settings: Settings, metrics: Metrics | None) -> None:
        self._app = app
        self._routes = routes
        self._origins = settings.origins
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else token_hex(8)
        common = {"X-Request-ID": request_id, "X-Content-Type-Options": "nosniff", **self._cors(scope["path"], headers.get("origin"))}
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                mutable = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in common.items():
                    if name == "Vary":
                        mutable.add_vary_header(value)
                    else:
                        mutable[name] = value
            await send(message)

        token = REQUEST_ID.set(request_id)
        start = time.perf_counter()
        try:
            if scope["method"] == "OPTIONS" and (methods := allowed_methods(self._routes, scope)):
                await self._options(methods, headers, asks_cors="Access-Control-Allow-Origin" in common)(scope, receive, answer)
            else:
                await self._app(scope, receive, answer)
        except Exception:  # noqa: BLE001 - nothing may get past this
            _log.exception("%s %s failed", scope["method"], scope["path"])
            if not status:
                await JSONResponse({"error": "the server failed on this request; its log says why"}, 500)(scope, receive, answer)
        finally:
            self._tell(scope, status, time.perf_counter() - start)
            REQUEST_ID.reset(token)

    def _cors(self, path: str, origin: str | None) -> dict[str, str]:
        if path not in _READABLE_ANYWHERE or not self._origins:
            return {}
        if "*" in self._origins:
            return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED}
        if origin in self._origins:
            return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED, "Vary": "Origin"}
        return {"Vary": "Origin"}

    def _options(self, methods: list[str], headers: Headers, *, asks_cors: bool) -> Response:
        answer = {"Allow": ", ".join(methods)}
        if asks_cors and "access-control-request-method" in headers:
            answer |= {"Access-Control-Allow-Methods": answer["Allow"], "Access-Control-Allow-Headers": _ASKED_WITH, "Access-Control-Max-Age": _A_DAY}
        return Response(status_code=204, headers=answer)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        if self._metrics:
            self._metrics.request(scope["method"], route, status, seconds)
        if _log.isEnabledFor(logging.INFO):
            client = scope.get("client")
            extra = {"method": scope["method"], "path": scope["path"], "status": status, "ms": round(seconds * 1000, 1), "address": client[0] if client else ""}
            _log.info("answered", extra=extra)
