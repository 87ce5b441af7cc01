"""Style sheet, scripts and their licences, from this package."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.server.dashboard.rendering import HEADERS
from mosaic_telemetry.server.errors import ApiError

__all__ = ["file"]

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".LICENSE": "text/plain"}


async def file(request: Request) -> Response:
    """One of the files; the browser keeps it, and asks whether it is still the same."""
    name = request.path_params["name"]
    content, tag = _read(name)
    headers = HEADERS | {"Cache-Control": "public, max-age=600", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(None, 304, headers)
    return Response(content, media_type=_TYPES[name[name.rindex(".") :]], headers=headers)


@cache
def _all() -> frozenset[str]:
    return frozenset(item.name for item in (files("mosaic_telemetry.server.dashboard") / "static").iterdir())


@cache
def _read(name: str) -> tuple[bytes, str]:
    if name not in _all():
        raise ApiError(404, f"there is no file {name} of the pages")
    content = (files("mosaic_telemetry.server.dashboard") / "static" / name).read_bytes()
    return content, f'"{blake2b(content, digest_size=12).hexdigest()}"'
