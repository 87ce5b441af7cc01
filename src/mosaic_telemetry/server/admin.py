"""`/v1/admin/…`: instances, keys, usage, erasure and the audit log, for whoever bears the admin key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mosaic_telemetry.engine import FormError
from mosaic_telemetry.engine.administration import Administration, NewInstance, NewKeyOf, Rotation
from mosaic_telemetry.server.access import require_admin
from mosaic_telemetry.server.bodies import read_body
from mosaic_telemetry.server.errors import ApiError
from mosaic_telemetry.server.state import state_of

__all__ = ["ROUTES"]

T = TypeVar("T")
_Handler = Callable[[Request], Awaitable[Response]]

_PATH = "/v1/admin"
_LARGEST_BODY = 16_384
_LARGEST_NUMBER = 2**63 - 1
_MOST_ACTS = 1000


async def _instances(request: Request) -> Response:
    return await _answer(_for(request).instances)


async def _create_instance(request: Request) -> Response:
    wanted = await _body(request, NewInstance)
    return await _answer(lambda: _for(request).create_instance(wanted), 201)


async def _instance(request: Request) -> Response:
    return await _answer(lambda: _for(request).instance(_id(request)))


async def _erase(request: Request) -> Response:
    return await _answer(lambda: {"erased": _for(request).erase(_id(request))})


async def _keys(request: Request) -> Response:
    return await _answer(lambda: _for(request).keys(_id(request)))


async def _create_key(request: Request) -> Response:
    wanted = await _body(request, NewKeyOf)
    return await _answer(lambda: _for(request).create_key(_id(request), wanted), 201)


async def _rotate(request: Request) -> Response:
    wanted = await _body(request, Rotation)
    return await _answer(lambda: _for(request).rotate(_id(request), wanted), 201)


async def _revoke(request: Request) -> Response:
    text = request.path_params.get("number")
    number = None if text is None else _whole("number", text)
    return await _answer(lambda: {"revoked": _for(request).revoke(_id(request), number)})


async def _usage(request: Request) -> Response:
    since, until, instance = _day(request, "since"), _day(request, "until"), request.query_params.get("instance_id")
    return await _answer(lambda: _for(request).usage(since, until, None if instance is None else _uuid(instance)))


async def _audit(request: Request) -> Response:
    limit = _whole("limit", request.query_params.get("limit", "100"), most=_MOST_ACTS)
    text = request.query_params.get("before")
    return await _answer(lambda: _for(request).acts(limit, None if text is None else _whole("before", text)))


def _for(request: Request) -> Administration:
    client = request.client
    return Administration(state_of(request).engine, f"api:{client.host if client else ''}")


async def _answer(act: Callable[[], Any], status: int = 200) -> Response:
    answer = await run_in_threadpool(act)
    return Response(msgspec.json.encode(answer), status, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _body(request: Request, form: type[T]) -> T:
    body = await read_body(request, _LARGEST_BODY)
    try:
        return msgspec.json.decode(body or b"{}", type=form)
    except msgspec.ValidationError as error:
        raise FormError(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is no JSON: {error}") from error


def _id(request: Request) -> UUID:
    return _uuid(request.path_params["instance_id"])


def _uuid(text: str) -> UUID:
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError as error:
        raise FormError(f"instance_id: {text[:100]!r} is no UUID") from error


def _whole(name: str, text: str, most: int = _LARGEST_NUMBER) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise FormError(f"{name}: {text[:100]!r} is no whole number from 1 to {most}")
    return int(text)


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise FormError(f"{name}: {text[:100]!r} is no day such as 2026-02-07") from error


def _route(path: str, /, **handlers: _Handler) -> Route:
    """One route a path, so that a 405 names all methods that there are; nobody learns anything of it without the admin key."""

    async def handle(request: Request) -> Response:
        await require_admin(request)
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return Route(_PATH + path, handle, methods=list(handlers))


ROUTES = [
    _route("/instances", GET=_instances, POST=_create_instance),
    _route("/instances/{instance_id}", GET=_instance),
    _route("/instances/{instance_id}/events", DELETE=_erase),
    _route("/instances/{instance_id}/keys", GET=_keys, POST=_create_key, DELETE=_revoke),
    _route("/instances/{instance_id}/keys/{number}", DELETE=_revoke),
    _route("/instances/{instance_id}/rotate", POST=_rotate),
    _route("/usage", GET=_usage),
    _route("/audit", GET=_audit),
]
