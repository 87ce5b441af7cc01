"""The admin API in the OpenAPI document, made from the same classes that read and write its bodies."""

from __future__ import annotations

from typing import Any

import msgspec

from mosaic_telemetry.engine.administration import ActView, InstanceView, IssuedView, KeyView, NewInstance, NewKeyOf, Rotation, UsageView
from mosaic_telemetry.server.openapi_errors import errors

__all__ = ["admin_paths"]

_CLASSES = (ActView, InstanceView, IssuedView, KeyView, NewInstance, NewKeyOf, Rotation, UsageView)
_ID = {"name": "instance_id", "in": "path", "required": True, "description": "an instance", "schema": {"type": "string", "format": "uuid"}}
_NUMBER = {
    "name": "number",
    "in": "path",
    "required": True,
    "description": "a key's number",
    "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
}
_DAY = {"type": "string", "format": "date"}


def admin_paths(schemas: dict[str, Any]) -> dict[str, Any]:
    """The paths; what they refer to is added to `schemas`."""
    _, components = msgspec.json.schema_components(_CLASSES, ref_template="#/components/schemas/{name}")
    schemas.update(components)
    of_instance = "/v1/admin/instances/{instance_id}"
    return {
        "/v1/admin/instances": {
            "get": _operation("listInstances", "All instances, oldest first", _many(InstanceView)),
            "post": _operation("createInstance", "Make an instance with a key", _one(IssuedView), body=NewInstance),
        },
        of_instance: {"get": _operation("getInstance", "One instance", _one(InstanceView), _ID)},
        f"{of_instance}/events": {
            "delete": _operation("eraseEvents", "Delete all events of an instance, and take them out of all predictions", _number("erased"), _ID)
        },
        f"{of_instance}/keys": {
            "get": _operation("listKeys", "The keys of an instance, whether they work or not", _many(KeyView), _ID),
            "post": _operation("createKey", "Make a key beside those that an instance has", _one(IssuedView), _ID, body=NewKeyOf),
            "delete": _operation("revokeKeys", "Revoke all keys of an instance at once", _number("revoked"), _ID),
        },
        f"{of_instance}/keys/{{number}}": {"delete": _operation("revokeKey", "Revoke one key at once", _number("revoked"), _ID, _NUMBER)},
        f"{of_instance}/rotate": {
            "post": _operation("rotateKeys", "Put a new key in the place of those that an instance has", _one(IssuedView), _ID, body=Rotation)
        },
        "/v1/admin/usage": {
            "get": _operation(
                "usage",
                "Events that came in, by day of receipt and instance",
                _many(UsageView),
                _asked("since", "first day, in UTC; by default six days before the last", _DAY),
                _asked("until", "last day, in UTC; by default today", _DAY),
                _asked("instance_id", "one instance alone", {"type": "string", "format": "uuid"}),
            )
        },
        "/v1/admin/audit": {
            "get": _operation(
                "audit",
                "What administrators did, newest first",
                _many(ActView),
                _asked("limit", "at most so many; by default 100", {"type": "integer", "minimum": 1, "maximum": 1000}),
                _asked("before", "only entries with lower numbers", {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}),
            )
        },
    }


def _operation(name: str, summary: str, answer: dict[str, Any], *parameters: dict[str, Any], body: type | None = None) -> dict[str, Any]:
    statuses = {401, 422, 429, 500, 503}
    if any(parameter["in"] == "path" or parameter["name"] == "instance_id" for parameter in parameters):
        statuses.add(404)
    operation: dict[str, Any] = {"operationId": name, "tags": ["admin"], "summary": summary, "security": [{"adminKey": []}]}
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        statuses |= {400, 413, 415}
        operation["requestBody"] = {"required": False, "content": {"application/json": {"schema": _reference(body)}}}
    success = {"description": f"{summary}.", "content": {"application/json": {"schema": answer}}}
    operation["responses"] = {"200" if body is None else "201": success, **errors(*sorted(statuses))}
    return operation


def _asked(name: str, about: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}


def _reference(cls: type) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{cls.__name__}"}


def _one(cls: type) -> dict[str, Any]:
    return _reference(cls)


def _many(cls: type) -> dict[str, Any]:
    return {"type": "array", "items": _reference(cls)}


def _number(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "integer", "minimum": 0}}, "required": [name]}
