"""Answers go out as zstd or gzip where the client takes that and they are long enough to be worth it."""

from __future__ import annotations

import gzip
import sys

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Packing", "coding_for"]

_SMALLEST = 1024
_GZIP_LEVEL = 1
_ZSTD_LEVEL = 1
_PACKED = ("application/json", "text/", "application/javascript", "image/svg")


def coding_for(accepted: str) -> str | None:
    """The best coding of those in an `Accept-Encoding` header (RFC 9110, section 12.5.3); None for none."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        key, _, value = parameter.strip().partition("=")
        try:
            weights[name.strip()] = float(value) if key == "q" else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    offered = [(weights.get(name, weights.get("*", 0.0)), name) for name in ("gzip", "zstd")]
    weight, name = max(offered)
    return name if weight > 0 else None


def _pack(body: bytes, coding: str) -> bytes:
    return zstd.compress(body, _ZSTD_LEVEL) if coding == "zstd" else gzip.compress(body, _GZIP_LEVEL, mtime=0)


class Packing:
    """Middleware. A body that comes in several parts, or is packed already, passes as it is.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        coding = coding_for(Headers(scope=scope).get("accept-encoding", ""))

        async def pack(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_text(message):
                start = message
                return
            if start is not None:
                headers = MutableHeaders(raw=start["headers"])
                headers.add_vary_header("Accept-Encoding")
                body = message.get("body", b"")
                if coding and len(body) >= _SMALLEST and not message.get("more_body", False):
                    message = {**message, "body": _pack(body, coding)}
                    headers["Content-Encoding"] = coding
                    headers["Content-Length"] = str(len(message["body"]))
                await send(start)
                start = None
            await send(message)

        await self._app(scope, receive, pack)


def _is_text(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    return "content-encoding" not in headers and headers.get("content-type", "").startswith(_PACKED)
