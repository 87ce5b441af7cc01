"""Predictions: from queries to answers of the most specific level that has enough data (contract, section 4).

That level gives the answer its name, sample size and confidence. The numbers of a level with few events are pooled along the ladder, with the
few events of more specific levels as well as with the many of wider ones; from 100 events on they are the level's own. Somebody else's data,
where there is any, is one more rung below them all; name, sample size and confidence keep speaking of own events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from mosaic_telemetry.engine.federation import Prior
from mosaic_telemetry.engine.known import Known
from mosaic_telemetry.engine.ladders import Find, Ladder
from mosaic_telemetry.forecast import (
    CLASSES,
    DEFAULT,
    HALF_LIFE_DAYS,
    NO_DATA,
    PERIOD_DAYS,
    Calibration,
    Confidence,
    Constants,
    Outside,
    answer,
    class_of,
    confidence,
    dimensions_matched,
    fallback_note,
)
from mosaic_telemetry.schema import PredictionData, PredictionMetadata, PredictionPrior, PredictionQuery, PredictionResponse

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
    prior: Prior | None = None,
    remembered: Known | None = None,
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
        prior: somebody else's data to begin with.
        remembered: what was read of the same cells before; what is read now is added.

    Raises:
        DatabaseError: the store cannot be read.
    """
    asked = [(query.task_type, query.model, query.provider, query.complexity) for query in queries]
    ladders = (Known() if remembered is None else remembered).climb(asked, find, today, public=public)
    theirs = _beside(prior, asked, ladders, constants)
    known = [ladder.level != NO_DATA or said is not None for ladder, said in zip(ladders, theirs, strict=True)]
    questions = [ladder.question_beside(said.outside if said else None) for ladder, said in zip(ladders, theirs, strict=True)]
    data = iter(answer([question for question, there in zip(questions, known, strict=True) if there], constants, calibrations))
    return [
        _response(query, ladder, next(data) if there else None, settled, window_days=window_days, said=said)
        for query, ladder, there, settled, said in zip(queries, ladders, known, _settled(ladders, calibrations or {}), theirs, strict=True)
    ]


class _Said(NamedTuple):
    """Somebody else's answer, and how it is told."""

    outside: Outside
    prior: PredictionPrior


def _beside(prior: Prior | None, asked: Sequence[tuple[str, str, str, str]], ladders: Sequence[Ladder], constants: Constants) -> list[_Said | None]:
    """What somebody else says of each, where own events do not outweigh it."""
    if prior is None:
        return [None] * len(ladders)
    return [
        None
        if said is None or ladder.outweighs(said[0])
        else _Said(
            said[0],
            PredictionPrior(source=prior.source, sample_size=said[0].summary.events, fallback_level=said[0].level, last_updated=_iso(said[1])),
        )
        for ladder, said in zip(ladders, prior.ask(asked, constants), strict=True)
    ]


def _response(  # noqa: PLR0913 - all that an answer tells of
    query: PredictionQuery,
    ladder: Ladder,
    data: PredictionData | None,
    settled: int,
    *,
    window_days: float | None,
    said: _Said | None,
) -> PredictionResponse:
    level = ladder.level
    stored, summary = (None, None) if level == NO_DATA else (ladder.stored[level], ladder.summaries[level])
    events = summary.events if summary else 0
    return PredictionResponse(
        prediction=data,
        metadata=PredictionMetadata(
            sample_size=events,
            fallback_level=level,
            confidence=confidence(events, level) if data is None or level != NO_DATA else Confidence.LOW,
            last_updated=_iso(stored.updated_ms) if stored else None,
            dimensions_matched=dimensions_matched(query, level),
            fallback_note=_note(query, level, said.prior if said else None),
            contributors=stored.instances if stored else None,
            window=_window(ladder, window_days) if stored else None,
            calibration={"forecasts": settled} if stored else None,
            prior=said.prior if said else None,
        ),
    )


def _note(query: PredictionQuery, level: int, prior: PredictionPrior | None) -> str | None:
    if prior is None:
        return fallback_note(query, level)
    theirs = f"{prior.sample_size:,} tasks of somebody else ({prior.source})"
    of = "" if prior.fallback_level == 0 else f" Of theirs: {fallback_note(query, prior.fallback_level)}"
    if level == NO_DATA:
        return f"Nothing is known here yet: these numbers are those of {theirs} alone.{of}"
    return " ".join(filter(None, (fallback_note(query, level), f"They are pooled with {theirs}, until there are enough here.{of}")))


def _window(ladder: Ladder, window_days: float | None) -> Mapping[str, float]:
    """How events of different age count; `recent_days` stands there where what is recent has taken over."""
    days = {} if window_days is None else {"days": window_days}
    recent = {"recent_days": 2 * PERIOD_DAYS} if ladder.recent and ladder.level == 0 else {}
    return {**days, "half_life_days": HALF_LIFE_DAYS, **recent}


def _settled(ladders: Sequence[Ladder], calibrations: Mapping[str, Calibration]) -> list[int]:
    """How many earlier forecasts from samples of each one's size have been held against what came."""
    own = [next((summary.events for summary in ladder.summaries if summary and summary.events), 0) for ladder in ladders]
    settled = [sum(calibration.settled_of(size) for calibration in calibrations.values()) for size in CLASSES]
    return [settled[number] for number in class_of(own)]


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
