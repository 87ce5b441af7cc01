"""Instances and their keys, for who signs in with the admin key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mosaic_telemetry.engine import AccountError
from mosaic_telemetry.engine.administration import Administration, IssuedView, NewInstance, NewKeyOf, Rotation
from mosaic_telemetry.server.bodies import read_body
from mosaic_telemetry.server.dashboard import session
from mosaic_telemetry.server.dashboard.rendering import page
from mosaic_telemetry.server.state import state_of

__all__ = ["ACTS", "act", "instances", "sign_in", "sign_out"]

_LARGEST_FORM = 16_384
_DAY = 86_400.0
_OVERLAP = 24 * 3600.0


async def instances(request: Request) -> Response:
    """The instances, or the form to sign in."""
    return await run_in_threadpool(_show, request)


async def sign_in(request: Request) -> Response:
    """Begin a session with the admin key."""
    session.refuse_foreign(request)
    form = await _form(request)
    if not await run_in_threadpool(session.opens, request, form.get("key", "")):
        return await run_in_threadpool(
            _show, request, error="That is not the admin key. `mosaic-telemetry admin create-admin-key` makes a new one.", status=403
        )
    response = RedirectResponse("/instances", 303)
    await run_in_threadpool(session.begin, request, response)
    return response


async def sign_out(request: Request) -> Response:
    """End the session."""
    session.refuse_foreign(request)
    response = RedirectResponse("/instances", 303)
    session.end(response)
    return response


async def act(request: Request) -> Response:
    """Do what one of the page's forms asks for, and show the page again: with the new key, where one was made, this once."""
    wanted = ACTS[request.url.path.rpartition("/")[2]]
    session.refuse_foreign(request)
    if not await run_in_threadpool(session.is_signed_in, request):
        return await run_in_threadpool(_show, request, error="The session has ended; sign in again.", status=403)
    form = await _form(request)
    client = request.client
    administration = Administration(state_of(request).engine, f"page:{client.host if client else ''}")
    try:
        issued = await run_in_threadpool(wanted, administration, form)
    except (AccountError, msgspec.ValidationError, ValueError) as error:
        return await run_in_threadpool(_show, request, error=str(error), status=422)
    return await run_in_threadpool(_show, request, issued=issued)


def _create(administration: Administration, form: Mapping[str, str]) -> IssuedView:
    return administration.create_instance(msgspec.convert({"name": form.get("name", ""), "expires_in_seconds": _lifetime(form)}, NewInstance))


def _add_key(administration: Administration, form: Mapping[str, str]) -> IssuedView:
    return administration.create_key(_instance(form), msgspec.convert({"name": form.get("name", ""), "expires_in_seconds": _lifetime(form)}, NewKeyOf))


def _rotate(administration: Administration, form: Mapping[str, str]) -> IssuedView:
    return administration.rotate(_instance(form), Rotation(overlap_seconds=_OVERLAP if form.get("overlap") else 0.0))


def _revoke(administration: Administration, form: Mapping[str, str]) -> None:
    administration.revoke(_instance(form), int(form["number"]) if form.get("number", "").isdigit() else None)


ACTS: Mapping[str, Callable[[Administration, Mapping[str, str]], IssuedView | None]] = {
    "create": _create,
    "add-key": _add_key,
    "rotate": _rotate,
    "revoke": _revoke,
}
"""What the page's forms ask for, by the last part of their addresses."""


def _show(request: Request, *, error: str | None = None, issued: IssuedView | None = None, status: int = 200) -> Response:
    values: dict[str, Any] = {"error": error, "issued": issued, "signed_in": session.is_signed_in(request), "rows": [], "acts": []}
    if values["signed_in"]:
        administration = Administration(state_of(request).engine, "page")
        values["rows"] = [(one, administration.keys(one.instance_id)) for one in administration.instances()]
        values["acts"] = administration.acts(20)
    return page(request, "instances.html", values, status)


async def _form(request: Request) -> dict[str, str]:
    body = await read_body(request, _LARGEST_FORM)
    return {name: given[-1].strip() for name, given in parse_qs(body.decode("utf-8", "replace"), max_num_fields=20).items()}


def _instance(form: Mapping[str, str]) -> UUID:
    return UUID(form.get("instance_id", ""))


def _lifetime(form: Mapping[str, str]) -> float | None:
    return float(form["days"]) * _DAY if form.get("days") else None
