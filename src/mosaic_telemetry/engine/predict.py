"""Predictions: from a query to the answer of the most specific level that has enough data (contract, section 4)."""

from __future__ import annotations

from datetime import UTC, datetime

from mosaic_telemetry.engine.store import Store
from mosaic_telemetry.forecast import ENOUGH, NO_DATA, confidence, dimensions_matched, fallback_note, keys_of, summarise
from mosaic_telemetry.schema import PredictionMetadata, PredictionQuery, PredictionResponse

__all__ = ["predict"]


def predict(store: Store, query: PredictionQuery) -> PredictionResponse:
    """The answer to one query.

    Raises:
        DatabaseError: the store cannot be read.
    """
    for key in keys_of(query.task_type, query.model, query.provider, query.complexity):
        if found := store.find_cell(key, at_least=ENOUGH):
            return PredictionResponse(
                prediction=summarise(found.cell),
                metadata=_metadata(query, key.level, found.cell.events, _iso(found.updated_ms)),
            )
    return PredictionResponse(prediction=None, metadata=_metadata(query, NO_DATA, 0, None))


def _metadata(query: PredictionQuery, level: int, events: int, last_updated: str | None) -> PredictionMetadata:
    return PredictionMetadata(
        sample_size=events,
        fallback_level=level,
        confidence=confidence(events, level),
        last_updated=last_updated,
        dimensions_matched=dimensions_matched(query, level),
        fallback_note=fallback_note(query, level),
    )


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
