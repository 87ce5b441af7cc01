"""`POST /v1/predictions/batch` and `GET /v1/predictions`: public, no key needed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry.engine import Engine, FormError
from mosaic_telemetry.schema import PredictionQuery, ValidationError, from_dict
from mosaic_telemetry.server.answers import Answers
from mosaic_telemetry.server.bodies import ACCEPTED_CODINGS, read_body
from mosaic_telemetry.server.caching import cached_json
from mosaic_telemetry.server.waiting import read

__all__ = ["predict_batch", "predict_one"]


async def predict_batch(request: Request) -> Response:
    """Answer up to 50 queries."""
    engine: Engine = request.app.state.engine
    answers: Answers = request.app.state.answers
    results = await read(engine, answers.give, engine.read_queries(await read_body(request)))
    return _json(b'{"results":[' + b",".join(results) + b"]}")


async def predict_one(request: Request) -> Response:
    """Answer the query in the URL."""
    engine: Engine = request.app.state.engine
    answers: Answers = request.app.state.answers
    try:
        query = from_dict(PredictionQuery, request.query_params)
    except ValidationError as error:
        raise FormError("; ".join(map(str, error.errors))) from error
    body = (await read(engine, answers.give, [query]))[0]
    return cached_json(request, body, lasting=body.replace(b'"cache_hit":true', b'"cache_hit":false'))


def _json(body: bytes) -> Response:
    return Response(body, headers={"Accept-Encoding": ACCEPTED_CODINGS}, media_type="application/json")
