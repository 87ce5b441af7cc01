"""What is looked at before a request is: its key, and the size of its body."""

from __future__ import annotations

from starlette.requests import Request

from mosaic_telemetry.engine import Engine, Instance
from mosaic_telemetry.server.errors import ApiError

__all__ = ["MAX_BODY_BYTES", "authenticate", "read_body"]

MAX_BODY_BYTES = 1 << 20


def authenticate(request: Request, engine: Engine) -> Instance:
    """The instance whose API key the request bears.

    Raises:
        ApiError: 401.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise _unauthorized("an API key is needed: send the header Authorization: Bearer <api key>")
    instance = engine.authenticate(key)
    if instance is None:
        raise _unauthorized("this API key is not known, or was revoked")
    return instance


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body, of at most `limit` bytes.

    A larger one is refused at its Content-Length or as soon as it has grown too large. What the client still sends then is
    read and thrown away by the HTTP layer, so that the client comes to read the answer.

    Raises:
        ApiError: 413.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _unauthorized(error: str) -> ApiError:
    return ApiError(401, error, {"WWW-Authenticate": "Bearer"})


def _too_large(limit: int) -> ApiError:
    return ApiError(413, f"the body is larger than {limit:,} bytes; send fewer events at once")
