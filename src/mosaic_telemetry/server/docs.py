"""`/v1/openapi.json` and the interactive documentation at `/v1/docs`: Swagger UI from this package, nothing from elsewhere."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mosaic_telemetry.server.errors import ApiError
from mosaic_telemetry.server.openapi import document

__all__ = ["ROUTES"]

# `style-src 'unsafe-inline'`: Swagger UI writes style attributes. Scripts come from this server's files alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mosaic-telemetry API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The document that it shows is at <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#docs", deepLinking: true, tryItOutEnabled: true, validatorUrl: null});\n'
_KEEP = {"Cache-Control": "public, max-age=3600"}
_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


async def _page(_: Request) -> Response:
    return Response(_PAGE, media_type="text/html", headers=_HEADERS)


async def _start(_: Request) -> Response:
    return Response(_START, media_type="text/javascript", headers=_HEADERS | _KEEP)


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        raise ApiError(404, f"there is no file {name} of the documentation")
    packed = (files("mosaic_telemetry.server") / "static" / "swagger" / f"{name}.gz").read_bytes()
    headers = _HEADERS | _KEEP | {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=_FILES[name], headers=headers | {"Content-Encoding": "gzip"})
    return Response(gzip.decompress(packed), media_type=_FILES[name], headers=headers)


async def _document(_: Request) -> Response:
    return Response(json.dumps(document(), indent=1), media_type="application/json")


ROUTES = [
    Route("/v1/docs", _page),
    Route("/v1/docs/start.js", _start),
    Route("/v1/docs/{name}", _file),
    Route("/v1/openapi.json", _document),
]
