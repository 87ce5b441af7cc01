"""What is looked at before a request is: its key."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from mosaic_telemetry.engine import Engine, Instance
from mosaic_telemetry.engine.keys import KeyKind, digest_of, kind_of, same
from mosaic_telemetry.server.errors import ApiError
from mosaic_telemetry.server.limiting import take_for_key
from mosaic_telemetry.server.state import state_of

__all__ = ["authenticate", "is_admin", "require_admin"]


async def authenticate(request: Request, engine: Engine) -> Instance:
    """The instance whose API key the request bears, if the key works and has not made too many requests.

    Raises:
        ApiError: 401, 429.
    """
    key = _bearer(request, "an API key is needed: send the header Authorization: Bearer <api key>")
    found = await engine.accounts.afind(key)
    if found is None:
        said = " (this is an admin key, which opens /v1/admin alone)" if kind_of(key) is KeyKind.ADMIN else ""
        raise _unauthorized(f"this API key is not known, or was revoked, or has expired{said}")
    state = state_of(request)
    take_for_key(request.scope, engine, state.settings, state.metrics, found.key)
    return found.instance


async def require_admin(request: Request) -> None:
    """Let in whoever bears the admin key.

    Raises:
        ApiError: 401.
    """
    key = _bearer(request, "the admin key is needed: send the header Authorization: Bearer <admin key>")
    if not await _opens_admin(request, key):
        said = " (it is an API key)" if kind_of(key) is KeyKind.API else ""
        raise _unauthorized(f"this is not the admin key{said}; `mosaic-telemetry admin create-admin-key` makes a new one")


async def is_admin(request: Request) -> bool:
    """Whether a request bears the admin key."""
    return await _opens_admin(request, request.headers.get("authorization", "").partition(" ")[2].strip())


async def _opens_admin(request: Request, key: str) -> bool:
    state = state_of(request)
    if state.settings.admin_key:
        return same(digest_of(key), digest_of(state.settings.admin_key))
    return await run_in_threadpool(state.engine.accounts.is_admin_key, key)


def _bearer(request: Request, missing: str) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise _unauthorized(missing)
    return key


def _unauthorized(error: str) -> ApiError:
    return ApiError(401, error, {"WWW-Authenticate": "Bearer"})
