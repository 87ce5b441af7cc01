"""Predictions: from queries to answers of the most specific level that has enough data (contract, section 4).

That level gives the answer its name, sample size and confidence. The numbers of a level with few events are pooled along the ladder, with the
few events of more specific levels as well as with the many of wider ones; from 100 events on they are the level's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mosaic_telemetry.engine.store import Store
from mosaic_telemetry.forecast import (
    DEFAULT,
    ENOUGH,
    NO_DATA,
    Calibration,
    CellKey,
    Constants,
    Question,
    Summary,
    answer,
    confidence,
    dimensions_matched,
    fallback_note,
    keys_of,
    summaries,
)
from mosaic_telemetry.schema import PredictionData, PredictionMetadata, PredictionQuery, PredictionResponse

__all__ = ["predict"]


@dataclass(frozen=True, slots=True)
class _Found:
    summary: Summary
    updated_ms: int


def predict(
    store: Store, queries: Sequence[PredictionQuery], constants: Constants = DEFAULT, calibrations: Mapping[str, Calibration] | None = None
) -> list[PredictionResponse]:
    """The answers to queries, in their order. Each cell is read once, however many queries need it.

    Args:
        store: where the cells are.
        queries: what is asked.
        constants: how strongly levels hold to wider ones.
        calibrations: the record of each target's earlier forecasts; one that is missing corrects nothing.

    Raises:
        DatabaseError: the store cannot be read.
    """
    ladders = _ladders(store, queries)
    levels = [_level(ladder) for ladder in ladders]
    questions = [
        Question(level, [found.summary if found else None for found in ladder]) for level, ladder in zip(levels, ladders, strict=True) if level != NO_DATA
    ]
    data = iter(answer(questions, constants, calibrations))
    return [_response(query, level, ladder, None if level == NO_DATA else next(data)) for query, level, ladder in zip(queries, levels, ladders, strict=True)]


def _ladders(store: Store, queries: Sequence[PredictionQuery]) -> list[list[_Found | None]]:
    """The cell of each level for each query; only that of the exact match where no wider one could change its numbers."""
    names = [keys_of(query.task_type, query.model, query.provider, query.complexity) for query in queries]
    exact = _read(store, [keys[0] for keys in names])
    alone = [found is not None and found.summary.stands_alone for found in (exact[keys[0]] for keys in names)]
    cells = exact | _read(store, [key for keys, enough in zip(names, alone, strict=True) if not enough for key in keys[1:]])
    return [[exact[keys[0]], *[None if enough else cells[key] for key in keys[1:]]] for keys, enough in zip(names, alone, strict=True)]


def _read(store: Store, keys: Sequence[CellKey]) -> dict[CellKey, _Found | None]:
    """The cells of these names, each read once; None for an empty one."""
    there = store.find_cells(dict.fromkeys(keys))
    found = dict(zip(there, summaries([stored.cell for stored in there.values()]), strict=True))
    return {key: _Found(found[key], there[key].updated_ms) if key in there else None for key in keys}


def _level(ladder: Sequence[_Found | None]) -> int:
    return next((level for level, found in enumerate(ladder) if found and found.summary.events >= ENOUGH), NO_DATA)


def _response(query: PredictionQuery, level: int, ladder: Sequence[_Found | None], data: PredictionData | None) -> PredictionResponse:
    found = None if level == NO_DATA else ladder[level]
    events = found.summary.events if found else 0
    return PredictionResponse(
        prediction=data,
        metadata=PredictionMetadata(
            sample_size=events,
            fallback_level=level,
            confidence=confidence(events, level),
            last_updated=_iso(found.updated_ms) if found else None,
            dimensions_matched=dimensions_matched(query, level),
            fallback_note=fallback_note(query, level),
        ),
    )


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
