"""Errors as answers: every one is JSON with one line, `{"error": "..."}`, and no stack trace ever leaves the process."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mosaic_telemetry.engine import (
    AccountError,
    BrokenJsonError,
    DatabaseError,
    FormError,
    OverloadedError,
    UnknownInstanceError,
    UnknownKeyError,
    WrongInstanceError,
)

__all__ = ["HANDLERS", "ApiError"]

_log = logging.getLogger(__name__)
_TRY_AGAIN_SECONDS = 5
_COME_BACK_SECONDS = 1


class ApiError(Exception):
    """An answer that is an error.

    Attributes:
        status: the HTTP status.
        error: one line for a person.
        headers: further headers, such as `Retry-After`.
    """

    def __init__(self, status: int, error: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = headers


def _answer(status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": error}, status, headers)


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - narrows the type that Starlette's signature widens
    return _answer(error.status, error.error, error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    text = error.detail
    if error.status_code == 404:
        text = f"there is nothing at {request.url.path}; /v1/docs lists what there is"
    elif error.status_code == 405:
        text = f"{request.method} is not possible at {request.url.path}; allowed: {(error.headers or {}).get('Allow', 'nothing')}"
    return _answer(error.status_code, text, error.headers)


async def _broken_json(_: Request, error: Exception) -> Response:
    return _answer(400, str(error))


async def _form_error(_: Request, error: Exception) -> Response:
    return _answer(422, str(error))


async def _wrong_instance(_: Request, error: Exception) -> Response:
    return _answer(403, str(error))


async def _unknown(_: Request, error: Exception) -> Response:
    return _answer(404, str(error))


async def _database_error(_: Request, error: Exception) -> Response:
    # The text may name a path of the machine: it is for the operator's log.
    _log.error("%s", error)
    return _answer(503, "the server cannot reach its database at the moment; try again", {"Retry-After": str(_TRY_AGAIN_SECONDS)})


async def _overloaded(_: Request, error: Exception) -> Response:
    return _answer(503, f"the server is overloaded: {error}; try again in a moment", {"Retry-After": str(_COME_BACK_SECONDS)})


async def _unexpected(_: Request, __: Exception) -> Response:
    # Starlette raises the exception again after this answer, and uvicorn logs it with its traceback.
    return _answer(500, "the server failed on this request; its log says why")


HANDLERS = {
    ApiError: _api_error,
    HTTPException: _http_error,
    BrokenJsonError: _broken_json,
    FormError: _form_error,
    WrongInstanceError: _wrong_instance,
    UnknownInstanceError: _unknown,
    UnknownKeyError: _unknown,
    AccountError: _form_error,
    DatabaseError: _database_error,
    OverloadedError: _overloaded,
    Exception: _unexpected,
}
