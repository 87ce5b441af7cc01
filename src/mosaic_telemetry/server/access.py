"""What is looked at before a request is: its key."""

from __future__ import annotations

from starlette.requests import Request

from mosaic_telemetry.engine import Engine, Instance
from mosaic_telemetry.server.errors import ApiError

__all__ = ["authenticate"]


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


def _unauthorized(error: str) -> ApiError:
    return ApiError(401, error, {"WWW-Authenticate": "Bearer"})
