"""What is asked: the queries in the body of `POST /v1/predictions/batch`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from mosaic_telemetry.engine.decode import parse_json
from mosaic_telemetry.engine.errors import FormError
from mosaic_telemetry.schema import MAX_BATCH_QUERIES, BatchPredictionRequest, PredictionQuery, ValidationError, from_dict
from mosaic_telemetry.schema.fields import Kind, Misfit, kinds_of

__all__ = ["read_queries", "read_quickly"]


def read_queries(body: bytes) -> Sequence[PredictionQuery]:
    """The queries in a body.

    Raises:
        BrokenJsonError: the body is no JSON.
        FormError: it is no batch of 1 to 50 queries; the text names what is wrong.
    """
    if quick := read_quickly(body):
        return quick
    try:
        return from_dict(BatchPredictionRequest, parse_json(body)).queries
    except ValidationError as error:
        raise FormError("; ".join(map(str, error.errors))) from error


def read_quickly(body: bytes) -> Sequence[PredictionQuery] | None:
    """The same, many times as fast; None for a body that cannot be taken without a closer look, whatever it is.

    As with events, this is a short cut and never a judge: what it takes, the schema takes with the same values.
    """
    if not body.isascii():
        return None  # the decoder passes over text that it does not keep without looking whether it is UTF-8
    try:
        queries: Sequence[PredictionQuery] = _decoder().decode(body).queries
        if not 1 <= len(queries) <= MAX_BATCH_QUERIES:
            return None
        for query in queries:
            _model().convert(query.model)
    except (msgspec.MsgspecError, Misfit, RecursionError):
        return None
    return queries


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    # The envelope and the queries by their own annotations; the model, of which these say only that it is text, is looked at by its kind.
    return msgspec.json.Decoder(BatchPredictionRequest)


@cache
def _model() -> Kind:
    return dict(kinds_of(PredictionQuery))["model"]
