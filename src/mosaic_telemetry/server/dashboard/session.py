"""The administrator's session: a cookie that says until when, signed with what the server keeps of the admin key.

Nothing is stored for it. A new admin key ends all sessions, and so does time.
"""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine.keys import digest_of, same
from mosaic_telemetry.server.errors import ApiError
from mosaic_telemetry.server.state import state_of

__all__ = ["begin", "end", "is_signed_in", "opens", "refuse_foreign"]

_COOKIE = "mosaic_admin"
_PATH = "/instances"
_SECONDS = 8 * 3600


def opens(request: Request, key: str) -> bool:
    """Whether this is the admin key."""
    kept = _digest(request)
    return kept is not None and same(digest_of(key.strip()), kept)


def is_signed_in(request: Request) -> bool:
    """Whether the request bears a session that stands."""
    expires, _, signature = request.cookies.get(_COOKIE, "").partition(".")
    kept = _digest(request)
    if kept is None or not (expires.isascii() and expires.isdigit() and len(expires) < 16):
        return False
    return hmac.compare_digest(_sign(kept, expires), signature.encode()) and int(expires) > state_of(request).engine.accounts.now_ms() // 1000


def begin(request: Request, response: Response) -> None:
    """Let the browser hold a session: for this page alone, out of scripts' reach, and never sent along from another site."""
    kept = _digest(request)
    expires = str(state_of(request).engine.accounts.now_ms() // 1000 + _SECONDS)
    token = f"{expires}.{_sign(kept, expires).decode()}" if kept else ""
    response.set_cookie(_COOKIE, token, max_age=_SECONDS, path=_PATH, secure=request.url.scheme == "https", httponly=True, samesite="strict")


def end(response: Response) -> None:
    """Let the browser forget it."""
    response.delete_cookie(_COOKIE, path=_PATH, httponly=True, samesite="strict")


def refuse_foreign(request: Request) -> None:
    """Refuse what another site's page made the browser send, should the cookie's own rule not have done so.

    Raises:
        ApiError: 403.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in {"same-origin", "none"} if site is not None else origin is not None and origin.partition("://")[2] != request.headers.get("host", "")
    if foreign:
        raise ApiError(403, "this form belongs to another site's page")


def _digest(request: Request) -> bytes | None:
    state = state_of(request)
    return digest_of(state.settings.admin_key) if state.settings.admin_key else state.engine.accounts.admin_digest()


def _sign(kept: bytes, expires: str) -> bytes:
    return hmac.new(kept, f"dashboard {expires}".encode(), hashlib.sha256).hexdigest().encode()
