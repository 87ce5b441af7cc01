"""Holding events against the forecasts that stood before them (prequential scoring; Dawid, "The prequential approach", JRSS A 1984).

No id and no log-in is needed: whatever arrives is a task that would have been forecast, and the forecast is that of its dimensions just
before the portion of events is counted with which it came. What comes of it is kept by target, level, class of sample size and month.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.engine.ladders import Find, climb
from mosaic_telemetry.engine.portions import Portion
from mosaic_telemetry.engine.store import EventRow, RecordKey, Share, ShareKey, Store
from mosaic_telemetry.forecast import (
    CLASSES,
    LADDER,
    MOST,
    NO_DATA,
    TARGETS,
    Calibration,
    Record,
    chosen_of,
    class_of,
    corrected,
    forecasts,
    keys_of,
    to_logs,
)
from mosaic_telemetry.forecast.histogram import bins_of, values_of

__all__ = ["Calibrations", "calibrations_of", "month_of", "settle"]

_MONTHS = 6  # back, that calibrate
_FRESH_SECONDS = 30.0
_MEDIAN = 2

FindShares = Callable[[Iterable[ShareKey]], Mapping[ShareKey, Share]]


def month_of(received_ms: int) -> int:
    """The month (UTC) of a time in milliseconds since 1970, in months since January 1970."""
    return int(_months(np.array([received_ms]))[0])


def settle(  # noqa: PLR0913 - what the past was, where it is read, and what is held against it
    events: Sequence[EventRow] | Portion, records: Mapping[RecordKey, Record], find: Find, find_shares: FindShares, today: int, *, public: bool
) -> dict[RecordKey, Record]:
    """Hold events against the forecasts for their dimensions; returns the records that change, each as a new one.

    On a public server an instance's first tasks of a kind are scored alone, as many as it counts for: so none of them can shape the record.

    Args:
        events: those that count.
        records: all records until now.
        find: reads the cells as they are before these events are counted.
        find_shares: reads the shares likewise.
        today: the day since 1970.
        public: whether the server is a public one.
    """
    portion = Portion.of(events)
    if public:
        portion = Portion.of(_first_ones(portion.rows, find_shares))
    tasks = portion.tasks
    ladders = climb(portion.kinds, find, today, public=public) if portion.kinds else []
    asked = [place for place, ladder in enumerate(ladders) if ladder.level != NO_DATA]
    if not asked:
        return {}
    questions = [ladders[place].question for place in asked]
    own, uncorrected = forecasts(questions)
    given = corrected(own, uncorrected, calibrations_of(records, month_of(portion.rows[-1].received_ms)))
    levels = np.array([question.level for question in questions])
    cells = [chosen_of(question) for question in questions]
    tellable = np.array([(cell.sizes > 0) & (cell.quantiles[:, _MEDIAN] > 0) for cell in cells])
    place_of = np.full(len(portion.kinds), -1)
    place_of[asked] = np.arange(len(asked))
    places = place_of[portion.kind_of]
    months = _months(portion.received_ms)
    actuals = np.stack([tasks.input_tokens, tasks.output_tokens, tasks.cost_micros, tasks.duration_ms], axis=1)
    settled: dict[RecordKey, Record] = {}
    for number, target in enumerate(TARGETS):
        known = (places >= 0) & tellable[places, number]
        if number == TARGETS.index("actual_cost_usd_micros"):
            known &= tasks.priced
        chosen = places[known]
        tags = (months[known] * len(CLASSES) + class_of(own[chosen, number])) * len(LADDER) + levels[chosen]
        logs = to_logs(values_of(bins_of(actuals[known, number])))  # as cells see them, so that what never varies is met
        for tag in np.unique(tags).tolist():
            there = tags == tag
            forecast = chosen[there]
            rest, level = divmod(tag, len(LADDER))
            month, size = divmod(rest, len(CLASSES))
            key = RecordKey(target, level, size, month)
            record = settled[key] = records[key].copy() if key in records else Record()
            record.settle(own[forecast, number], uncorrected[forecast, number], given[forecast, number], logs[there])
    return settled


def _first_ones(rows: Sequence[EventRow], find_shares: FindShares) -> list[EventRow]:
    """Those of the events that are among the first of their instance and kind."""
    names = [(keys_of(*row[5:9])[0], row.instance) for row in rows]
    shares = find_shares(dict.fromkeys(names))
    seen = Counter({name: share.events for name, share in shares.items()})
    first = []
    for row, name in zip(rows, names, strict=True):
        if seen[name] < MOST:
            first.append(row)
        seen[name] += 1
    return first


def calibrations_of(records: Mapping[RecordKey, Record], month: int) -> dict[str, Calibration]:
    """What the records of the last months say about the next forecasts, by target."""
    found: dict[str, Calibration] = {}
    for key, record in records.items():
        if month - _MONTHS < key.month <= month:
            found.setdefault(key.target, Calibration()).merge(record.calibration)
    return found


class Calibrations:
    """The calibrations of a store, read again when they are older than half a minute.

    Args:
        store: where the records are.
        now: the time, in seconds since 1970.
    """

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._read = -_FRESH_SECONDS
        self._found: dict[str, Calibration] = {}

    def current(self) -> Mapping[str, Calibration]:
        """By target.

        Raises:
            DatabaseError: the store cannot be read.
        """
        if time.monotonic() - self._read >= _FRESH_SECONDS:
            records = {key: Record.from_bytes(data) for key, data in self._store.find_records().items()}
            self._found = calibrations_of(records, month_of(int(self._now() * 1000)))
            self._read = time.monotonic()
        return self._found


def _months(received_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    return received_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
