"""The errors of the OpenAPI document: each status means the same wherever it is answered."""

from __future__ import annotations

from typing import Any

__all__ = ["error_schema", "errors"]

_ERRORS = {
    400: "The body is not JSON.",
    401: "No key, or one that is not known, was revoked or has expired.",
    403: "An event names another instance than the one that the API key belongs to. Nothing of the batch was stored.",
    404: "There is no such thing.",
    408: "Headers or body did not come in time.",
    413: "The body is too large.",
    415: "The body is packed in a way that the server does not know; `Accept-Encoding` names those it knows.",
    422: "The request, as a whole, has not this form; the error names what is wrong.",
    429: "Too many requests; try again after `Retry-After` seconds.",
    431: "The request line and headers are too large.",
    500: "The server failed on this request.",
    503: "The server cannot do its work at the moment; try again after `Retry-After` seconds.",
}


_EVERYWHERE = frozenset({408, 431})  # of requests that the application never sees


def errors(*statuses: int) -> dict[str, Any]:
    """The answers of these statuses, and of those that any request can get."""
    answers = {}
    for status in sorted(_EVERYWHERE.union(statuses)):
        answer: dict[str, Any] = {"description": _ERRORS[status], "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
        if status in {429, 503}:
            answer["headers"] = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 0}}}
        if status == 401:
            answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}}}
        answers[str(status)] = answer
    return answers


def error_schema() -> dict[str, Any]:
    """The form of all of them."""
    return {
        "type": "object",
        "properties": {"error": {"type": "string", "description": "what is wrong, in one line"}},
        "required": ["error"],
        "examples": [{"error": "this API key is not known, or was revoked, or has expired"}],
    }
