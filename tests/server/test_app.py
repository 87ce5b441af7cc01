import asyncio
import json
import re

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from mosaic_telemetry.engine import DatabaseError
from mosaic_telemetry.schema import (
    BatchEventRequest,
    BatchEventResponse,
    BatchPredictionRequest,
    PredictionQuery,
    TaskCompletionEvent,
    decode,
    encode,
    from_dict,
)
from mosaic_telemetry.schema.fields import Integer, Optional, Text, kinds_of, optional_of
from mosaic_telemetry.server.errors import HANDLERS
from mosaic_telemetry.server.examples import EXAMPLES
from mosaic_telemetry.server.openapi import document


def test_the_probes(server):
    assert server.ask("GET", "/healthz")[:2] == (200, {"status": "ok", "version": document()["info"]["version"]})
    assert server.ask("GET", "/readyz")[:2] == (200, {"status": "ready"})


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v2/x", 404), ("GET", "/v1/docs/none.js", 404), ("GET", "/v1/events/batch", 405), ("DELETE", "/healthz", 405)]
)
def test_what_is_not_there_is_said_in_json(server, method, path, status):
    found, answer, headers = server.ask(method, path)
    assert found == status
    assert list(answer) == ["error"]
    if status == 405:
        assert headers["allow"]


def test_the_documentation_asks_no_other_host_for_anything(server):
    status, page, headers = server.ask("GET", "/v1/docs")
    assert status == 200
    assert "'unsafe-inline'" not in re.search("script-src[^;]*", headers["content-security-policy"])[0]
    assert "//" not in page.replace("<!doctype html>", "")
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    for link in links:
        if not link.startswith("data:"):
            assert server.ask("GET", f"/v1/{link}")[0] == 200, link
    assert any("bundle.js" in link for link in links)


def test_the_documentations_files_go_out_packed_where_that_is_understood(server):
    connection = server.connect()
    connection.request("GET", "/v1/docs/swagger-ui.css", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.read(2) == b"\x1f\x8b"
    connection.close()


def test_the_document_follows_the_schema(server):
    status, served, _ = server.ask("GET", "/v1/openapi.json")
    assert status == 200
    assert served == json.loads(json.dumps(document()))
    event = served["components"]["schemas"]["TaskCompletionEvent"]
    assert list(event["properties"]) == [name for name, _ in kinds_of(TaskCompletionEvent)]
    assert set(event["properties"]) - set(event["required"]) == {"language", "repo_size_category"} == set(optional_of(TaskCompletionEvent)) - {"schema_version"}
    for name, kind in kinds_of(TaskCompletionEvent):
        found = event["properties"][name]
        assert found["description"], name
        if isinstance(kind, Integer):
            assert (found["minimum"], found["maximum"]) == (kind.minimum, kind.maximum)
        if isinstance(kind, Text):
            assert found["maxLength"] == kind.longest
        if isinstance(kind, Optional):
            assert found["anyOf"][1] == {"type": "null"}
    assert served["components"]["schemas"]["BatchEventRequest"]["properties"]["events"]["maxItems"] == 100
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(served))
    assert set(references) <= set(served["components"]["schemas"])


@pytest.mark.parametrize("cls", [BatchEventRequest, BatchEventResponse, BatchPredictionRequest, PredictionQuery, TaskCompletionEvent])
def test_the_documents_examples_are_valid(cls):
    example = EXAMPLES[cls.__name__]
    assert json.loads(encode(decode(cls, json.dumps(example)))) == example
    assert from_dict(cls, example)


@pytest.mark.parametrize(("error", "status"), [(ZeroDivisionError("secret"), 500), (DatabaseError("/secret/path is gone"), 503)])
def test_an_unexpected_error_is_an_answer_without_its_inside(error, status):
    async def fail(_):
        raise error

    messages = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        messages.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "app": None}
    app = Starlette(routes=[Route("/", fail)], exception_handlers=HANDLERS)
    try:
        asyncio.run(app(scope, receive, send))
    except ZeroDivisionError:
        assert status == 500  # raised again for the server's log, after the answer
    assert messages[0]["status"] == status
    assert b"secret" not in messages[1]["body"]
    assert list(json.loads(messages[1]["body"])) == ["error"]
    assert (b"retry-after" in dict(messages[0]["headers"])) == (status == 503)
