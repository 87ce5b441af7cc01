"""Predictions: from queries to answers of the most specific level that has enough data (contract, section 4).

That level gives the answer its name, sample size and confidence. The numbers of a level with few events are pooled along the ladder, with the
few events of more specific levels as well as with the many of wider ones; from 100 events on they are the level's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mosaic_telemetry.engine.ladders import Find, Ladder, climb
from mosaic_telemetry.forecast import (
    CLASSES,
    DEFAULT,
    HALF_LIFE_DAYS,
    NO_DATA,
    PERIOD_DAYS,
    Calibration,
    Constants,
    answer,
    class_of,
    confidence,
    dimensions_matched,
    fallback_note,
)
from mosaic_telemetry.schema import PredictionData, PredictionMetadata, PredictionQuery, PredictionResponse

__all__ = ["predict"]


def predict(  # noqa: PLR0913 - what an answer depends on; those that seldom matter have a default and a name
    queries: Sequence[PredictionQuery],
    find: Find,
    today: int,
    *,
    public: bool = False,
    constants: Constants = DEFAULT,
    calibrations: Mapping[str, Calibration] | None = None,
    window_days: float | None = None,
) -> list[PredictionResponse]:
    """The answers to queries, in their order. Each cell is read once, however many queries need it.

    Args:
        queries: what is asked.
        find: reads cells.
        today: the day since 1970.
        public: whether the cells are those of a public server.
        constants: how strongly levels hold to wider ones.
        calibrations: the record of each target's earlier forecasts; one that is missing corrects nothing.
        window_days: how long events count, to be told.

    Raises:
        DatabaseError: the store cannot be read.
    """
    ladders = climb([(query.task_type, query.model, query.provider, query.complexity) for query in queries], find, today, public=public)
    data = iter(answer([ladder.question for ladder in ladders if ladder.level != NO_DATA], constants, calibrations))
    return [
        _response(query, ladder, None if ladder.level == NO_DATA else next(data), calibrations or {}, window_days)
        for query, ladder in zip(queries, ladders, strict=True)
    ]


def _response(
    query: PredictionQuery, ladder: Ladder, data: PredictionData | None, calibrations: Mapping[str, Calibration], window_days: float | None
) -> PredictionResponse:
    level = ladder.level
    stored, summary = (None, None) if level == NO_DATA else (ladder.stored[level], ladder.summaries[level])
    events = summary.events if summary else 0
    return PredictionResponse(
        prediction=data,
        metadata=PredictionMetadata(
            sample_size=events,
            fallback_level=level,
            confidence=confidence(events, level),
            last_updated=_iso(stored.updated_ms) if stored else None,
            dimensions_matched=dimensions_matched(query, level),
            fallback_note=fallback_note(query, level),
            contributors=stored.instances if stored else None,
            window=_window(ladder, window_days) if stored else None,
            calibration=_calibration(ladder, calibrations) if stored else None,
        ),
    )


def _window(ladder: Ladder, window_days: float | None) -> Mapping[str, float]:
    """How events of different age count; `recent_days` stands there where what is recent has taken over."""
    days = {} if window_days is None else {"days": window_days}
    recent = {"recent_days": 2 * PERIOD_DAYS} if ladder.recent and ladder.level == 0 else {}
    return {**days, "half_life_days": HALF_LIFE_DAYS, **recent}


def _calibration(ladder: Ladder, calibrations: Mapping[str, Calibration]) -> Mapping[str, float]:
    """How many earlier forecasts from samples of this size have been held against what came."""
    own = next((summary.events for summary in ladder.summaries if summary and summary.events), 0)
    size = CLASSES[int(class_of([own])[0])]
    return {"forecasts": sum(calibration.settled_of(size) for calibration in calibrations.values())}


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
