"""The OpenAPI 3.1 document, made from the schema's field metadata."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeAlias

from mosaic_telemetry._version import __version__
from mosaic_telemetry.engine.store import TotalKey, Totals
from mosaic_telemetry.schema import (
    BatchEventRequest,
    BatchEventResponse,
    BatchPredictionRequest,
    BatchPredictionResponse,
    PredictionQuery,
    PredictionResponse,
)
from mosaic_telemetry.schema.fields import (
    Choice,
    Choices,
    Constant,
    Flag,
    Integer,
    Kind,
    ListOf,
    Nested,
    Number,
    NumberMap,
    Optional,
    Text,
    TextMap,
    Timestamp,
    UuidText,
    optional_of,
)
from mosaic_telemetry.server.examples import EXAMPLES
from mosaic_telemetry.server.openapi_admin import admin_paths
from mosaic_telemetry.server.openapi_advice import advice_paths
from mosaic_telemetry.server.openapi_errors import error_schema, errors

__all__ = ["document"]

Schema: TypeAlias = dict[str, Any]
Schemas: TypeAlias = dict[str, Schema]

_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_ABOUT = "Report how tasks of AI coding agents went; ask what the next one will cost, how long it will take, and whether it will succeed."


def document() -> Schema:
    """The document, as JSON values."""
    schemas: Schemas = {"Error": error_schema()}
    query_parameters = [
        {"name": item.name, "in": "query", "required": True, "description": _about(item.metadata), "schema": _schema(item.metadata["kind"], schemas)}
        for item in fields(PredictionQuery)
    ]
    paths = {
        "/v1/events/batch": {
            "post": {
                "operationId": "submitEvents",
                "tags": ["events"],
                "summary": "Report finished tasks",
                "description": "Up to 100 events. Each is accepted or rejected by itself, in order; those accepted are on the server's disk when the "
                "answer comes. An event whose `event_id` was received before is rejected as a duplicate, so that sending again does no harm.",
                "security": [{"apiKey": []}],
                "requestBody": _body(BatchEventRequest, schemas),
                "responses": {
                    "202": _answer("One verdict per event.", BatchEventResponse, schemas),
                    **errors(400, 401, 403, 413, 415, 422, 429, 500, 503),
                },
            },
        },
        "/v1/predictions/batch": {
            "post": {
                "operationId": "predictBatch",
                "tags": ["predictions"],
                "summary": "Ask for up to 50 predictions",
                "requestBody": _body(BatchPredictionRequest, schemas),
                "responses": {
                    "200": _answer("One answer per query, in their order.", BatchPredictionResponse, schemas),
                    **errors(400, 413, 415, 422, 429, 500, 503),
                },
            },
        },
        "/v1/predictions": {
            "get": {
                "operationId": "predict",
                "tags": ["predictions"],
                "summary": "Ask for one prediction",
                "parameters": query_parameters,
                "responses": {
                    "200": _answer("The answer.", PredictionResponse, schemas),
                    "304": {"description": "The client has it, by the tag that it named in `If-None-Match`."},
                    **errors(422, 429, 500, 503),
                },
            },
        },
        **advice_paths(query_parameters, errors),
        "/v1/totals": {"get": _totals()},
        **admin_paths(schemas),
        "/metrics": {"get": _metrics()},
        "/healthz": {"get": _probe("healthz", "Whether the process runs", "It runs.", {"status": "ok", "version": __version__}, 500)},
        "/readyz": {"get": _probe("readyz", "Whether the server can do its work", "It can.", {"status": "ready"}, 500, 503)},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "mosaic-telemetry", "version": __version__, "description": _ABOUT, "license": {"name": "MPL-2.0", "identifier": "MPL-2.0"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: 64 hexadecimal characters."},
                "adminKey": {"type": "http", "scheme": "bearer", "description": "The admin key."},
            },
        },
    }


def _reference(cls: type, schemas: Schemas) -> Schema:
    name = cls.__name__
    if name not in schemas:
        schemas[name] = {}  # holds the place while types below refer to each other
        properties = {}
        for item in fields(cls):
            schema = _schema(item.metadata["kind"], schemas)
            properties[item.name] = {**schema, "description": _about(item.metadata)}
        required = [item.name for item in fields(cls) if item.name not in optional_of(cls) or isinstance(item.metadata["kind"], Constant)]
        schemas[name] = {"type": "object", "properties": properties, "required": required}
        if name in EXAMPLES:
            schemas[name]["examples"] = [EXAMPLES[name]]
    return {"$ref": f"#/components/schemas/{name}"}


def _about(metadata: Any) -> str:
    return f"{metadata['doc']} [{metadata['unit']}]" if metadata["unit"] else str(metadata["doc"])


def _enum(enum: type[StrEnum], schemas: Schemas) -> Schema:
    schemas[enum.__name__] = {"type": "string", "enum": [member.value for member in enum], "description": (enum.__doc__ or "").strip()}
    return {"$ref": f"#/components/schemas/{enum.__name__}"}


def _integer(kind: Integer, _: Schemas) -> Schema:
    return {"type": "integer", "minimum": kind.minimum, "maximum": kind.maximum}


def _number(kind: Number, _: Schemas) -> Schema:
    return {"type": "number", "minimum": kind.minimum} | ({} if kind.maximum == math.inf else {"maximum": kind.maximum})


def _text(kind: Text, _: Schemas) -> Schema:
    return {"type": "string", "maxLength": kind.longest, "pattern": "^[^\\u0000]*$"} | ({"minLength": kind.shortest} if kind.shortest else {})


def _list(kind: ListOf, schemas: Schemas) -> Schema:
    schema: Schema = {"type": "array", "items": _schema(kind.kind, schemas)}
    if kind.shortest:
        schema["minItems"] = kind.shortest
    if kind.longest is not None:
        schema["maxItems"] = kind.longest
    return schema


_FORMS: dict[type, Callable[[Any, Schemas], Schema]] = {
    Integer: _integer,
    Number: _number,
    Flag: lambda _, __: {"type": "boolean"},
    Text: _text,
    UuidText: lambda _, __: {"type": "string", "format": "uuid", "pattern": _UUID},
    Timestamp: lambda _, __: {"type": "string", "format": "date-time"},
    Constant: lambda kind, _: {"type": "string", "const": kind.value},
    Choice: lambda kind, schemas: _enum(kind.enum, schemas),
    Choices: lambda kind, schemas: {"type": "array", "items": _enum(kind.enum, schemas)},
    Optional: lambda kind, schemas: {"anyOf": [_schema(kind.kind, schemas), {"type": "null"}]},
    NumberMap: lambda _, __: {"type": "object", "additionalProperties": {"type": "number"}},
    TextMap: lambda _, __: {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    Nested: lambda kind, schemas: _reference(kind.cls, schemas),
    ListOf: _list,
}


def _schema(kind: Kind, schemas: Schemas) -> Schema:
    return _FORMS[type(kind)](kind, schemas)


def _body(cls: type, schemas: Schemas) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": _reference(cls, schemas)}}}


def _answer(description: str, cls: type, schemas: Schemas) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _reference(cls, schemas)}}}


def _totals() -> Schema:
    texts = {"day": {"type": "string", "format": "date"}} | {name: {"type": "string"} for name in TotalKey._fields[1:]}
    row = {"type": "object", "properties": texts | {name: {"type": "integer"} for name in Totals._fields}, "required": [*texts, *Totals._fields]}
    day = {"type": "string", "format": "date"}
    answer = {"type": "object", "properties": {"since": day, "until": day, "totals": {"type": "array", "items": row}}, "required": ["since", "until", "totals"]}
    described = {"since": "first day, in UTC; by default six days before the last", "until": "last day, in UTC; by default today"}
    return {
        "operationId": "dailyTotals",
        "tags": ["reports"],
        "summary": "Sums of what was reported, by day and dimensions",
        "description": "Days are those of the events' timestamps. `priced` counts tasks whose cost is known; `cost_usd_micros` is theirs.",
        "security": [{"apiKey": []}],
        "parameters": [{"name": name, "in": "query", "required": False, "description": text, "schema": day} for name, text in described.items()],
        "responses": {"200": {"description": "The sums.", "content": {"application/json": {"schema": answer}}}, **errors(401, 422, 429, 500, 503)},
    }


def _metrics() -> Schema:
    return {
        "operationId": "metrics",
        "tags": ["operation"],
        "summary": "Numbers for Prometheus",
        "description": "On a public server, with the admin key. A server that was told so has none.",
        "security": [{}, {"adminKey": []}],
        "responses": {"200": {"description": "The numbers.", "content": {"text/plain": {"schema": {"type": "string"}}}}, **errors(401, 404, 500)},
    }


def _probe(operation: str, summary: str, description: str, example: dict[str, str], *statuses: int) -> Schema:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in example}, "required": list(example)}
    content = {"application/json": {"schema": schema, "example": example}}
    return {
        "operationId": operation,
        "tags": ["operation"],
        "summary": summary,
        "responses": {"200": {"description": description, "content": content}, **errors(*statuses)},
    }
