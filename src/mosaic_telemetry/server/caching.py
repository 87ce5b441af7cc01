"""Answers that clients and proxies may keep, each with a tag by which it is not sent twice (RFC 9110, section 13.1.2)."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["cached_json"]

# An accepted event shows in predictions within a second: so long may an answer be kept without asking.
_KEEP = "public, max-age=1"


def cached_json(request: Request, body: bytes, lasting: bytes) -> Response:
    """A JSON answer, or a 304 where the client has it.

    Args:
        request: what asks.
        body: the answer.
        lasting: what of it the tag stands for.
    """
    # Weak, since packed and plain answers share it.
    tag = f'W/"{hashlib.blake2b(lasting, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": _KEEP}
    known = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known or tag.removeprefix("W/") in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
