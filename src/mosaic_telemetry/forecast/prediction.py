"""From cells to the numbers of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mosaic_telemetry.forecast.calibration import Calibration
from mosaic_telemetry.forecast.cell import Cell, quantiles_of
from mosaic_telemetry.forecast.ladder import NO_DATA
from mosaic_telemetry.forecast.pooling import DEFAULT, FULL, PRIOR, SHARES, Constants, Floats, Foreign, Sizes, from_logs, own_size, pool, to_logs
from mosaic_telemetry.schema import CorrectionFactors, PredictionData, QualityPrediction, TokenDistribution

__all__ = [
    "QUANTILES",
    "TARGETS",
    "Outside",
    "Question",
    "Summary",
    "answer",
    "chosen_of",
    "corrected",
    "forecasts",
    "summaries",
    "summarise",
    "summary_of",
    "told",
]

QUANTILES = dict(zip(("p10", "p25", "median", "p75", "p90"), SHARES, strict=True))

TARGETS = ("actual_input_tokens", "actual_output_tokens", "actual_cost_usd_micros", "task_duration_ms")
"""What is forecast, by the names of the event's fields."""

_INPUT, _OUTPUT, _COST, _DURATION, _INPUT_RATIO, _OUTPUT_RATIO = range(6)
_MEDIAN = 2
_RATIO_UNIT = 1e6  # ratios are pooled in millionths, so that the floor of the logarithms lies far below every one of them


@dataclass(frozen=True, slots=True)
class Summary:
    """What an answer needs of a cell.

    Attributes:
        events: tasks counted.
        gate_pass_rate: share of those whose quality gates all passed, as they weigh.
        success_rate: share of those whose outcome was success, as they weigh.
        sizes: how many values each histogram holds, in the order of `Cell.quantiles`.
        quantiles: their quantiles at `SHARES`, `[histogram, share]`.
    """

    events: int
    gate_pass_rate: float
    success_rate: float
    sizes: Sizes
    quantiles: Floats

    @property
    def stands_alone(self) -> bool:
        """Whether every amount has either so many values that wider cells add nothing, or none at all."""
        amounts = self.sizes[: len(TARGETS)]
        return self.events >= FULL and bool(((amounts >= FULL) | (amounts == 0)).all())


_NOTHING = Summary(0, 0.0, 0.0, np.zeros(6, dtype=np.int64), np.zeros((6, len(SHARES))))


@dataclass(frozen=True, slots=True)
class Outside:
    """Somebody else's answer to a question.

    Attributes:
        level: the level of the ladder that gave it.
        summary: what it says: its quantiles are those of that answer, already pooled.
    """

    level: int
    summary: Summary


@dataclass(frozen=True, slots=True)
class Question:
    """One question to `answer`.

    Attributes:
        level: the level of the ladder that answers: its cell must not be empty. `NO_DATA` where `outside` alone answers.
        cells: the cell of each level, None where it is empty or not needed.
        outside: somebody else's answer, to begin with.
    """

    level: int
    cells: Sequence[Summary | None]
    outside: Outside | None = None


def summaries(cells: Sequence[Cell]) -> list[Summary]:
    """What an answer needs of each of these cells; many together cost much less than one by one."""
    sizes, quantiles = quantiles_of(cells, SHARES)
    return [Summary(cell.events, cell.gate_pass_rate, cell.success_rate, *rows) for cell, *rows in zip(cells, sizes, quantiles, strict=True)]


def summary_of(cell: Cell) -> Summary:
    """What an answer needs of a cell."""
    return summaries([cell])[0]


def answer(questions: Sequence[Question], constants: Constants = DEFAULT, calibrations: Mapping[str, Calibration] | None = None) -> list[PredictionData]:
    """The numbers of any number of answers: tokens, micro-dollars and milliseconds as whole numbers.

    The amounts and the correction factors are pooled along the ladder (see `pooling`), shares are those of the answering level's own
    tasks. A quantity of which the answering level knows no value is not guessed from wider ones: the map of costs is empty then.
    Where its median is 0 (a free model), its own quantiles stand, since 0 has no logarithm. What somebody else says stands as it is
    where there is no own value at all, and else is pooled as one more rung; shares are weighed alike.

    Args:
        questions: what is asked.
        constants: how strongly levels hold to wider ones.
        calibrations: the record of each of `TARGETS`; one that is missing corrects nothing.

    Raises:
        ValueError: the answering level of a question has an empty cell.
    """
    return [_data(summary, summary.quantiles.tolist()) for summary in told(questions, constants, calibrations)]


def told(questions: Sequence[Question], constants: Constants = DEFAULT, calibrations: Mapping[str, Calibration] | None = None) -> list[Summary]:
    """What `answer` says, before it is rounded: the answering cells, with the pooled quantiles in place of their own.

    Raises:
        ValueError: the answering level of a question has an empty cell.
    """
    if not questions:
        return []
    own, pooled = forecasts(questions, constants)
    amounts = from_logs(corrected(own, pooled, calibrations))
    amounts[:, _INPUT_RATIO:] /= _RATIO_UNIT
    answers = []
    for question, sizes, quantiles in zip(questions, own, amounts, strict=True):
        cell = chosen_of(question) if question.level != NO_DATA or question.outside is None else _NOTHING
        free = cell.quantiles[:, _MEDIAN] == 0
        alone = (cell.sizes == 0) | free | (sizes >= FULL) & (sizes == cell.sizes)
        if question.outside is None:
            answers.append(replace(cell, quantiles=np.where(alone[:, None], cell.quantiles, quantiles)))
        else:
            theirs, wider = question.outside.summary, question.level > question.outside.level
            # Beside somebody else's, own quantiles do not stand that are of a wider level than those.
            mine = alone & (cell.sizes > 0) & ((theirs.sizes == 0) | (not wider))
            zero = (theirs.quantiles[:, _MEDIAN] == 0) | free & (cell.sizes > 0)
            foreign = (theirs.sizes > 0) & ((sizes == 0) | zero & (wider | (cell.sizes == 0)))
            rows = np.where(mine[:, None], cell.quantiles, np.where(foreign[:, None], theirs.quantiles, quantiles))
            answers.append(_beside(question, question.outside, replace(cell, quantiles=rows), constants.median))
    return answers


def _beside(question: Question, outside: Outside, cell: Summary, hold: float) -> Summary:
    """An answer with its shares of tasks weighed with somebody else's, and with their quantities where there are no own ones."""
    theirs, wider = outside.summary, cell if question.level > outside.level else None
    own = cell if 0 <= question.level <= outside.level else question.cells[outside.level]
    passed, success = (_rate(wider, theirs, own, name, hold) for name in ("gate_pass_rate", "success_rate"))
    return Summary(cell.events, passed, success, np.where(cell.sizes > 0, cell.sizes, theirs.sizes), cell.quantiles)


def _rate(wider: Summary | None, theirs: Summary, own: Summary | None, name: str, hold: float) -> float:
    """A share of tasks, corrected from the wider own level to somebody else's cell to the own level that is as specific, as in `pooling`."""
    rate = float(getattr(theirs, name))
    if wider is not None:
        weight = min(theirs.events, PRIOR)
        rate = (weight * rate + hold * getattr(wider, name)) / (weight + hold)
    if own is not None and own.events:
        left = hold * max(0.0, 1 - own.events / FULL)
        rate = (own.events * getattr(own, name) + left * rate) / (own.events + left)
    return rate


def forecasts(questions: Sequence[Question], constants: Constants = DEFAULT) -> tuple[Sizes, Floats]:
    """The pooled quantiles, not corrected by any record.

    Returns:
        How many values the most specific level has that has any, `[question, histogram]`, and the logarithms of the quantiles, `[question, histogram, share]`.
    """
    sizes, quantiles = _stacked(questions)
    logs = to_logs(quantiles)
    shape = logs.shape  # question, histogram, level, share
    flat = sizes.reshape(-1, shape[2])
    pooled = pool(flat, logs.reshape(-1, *shape[2:]), constants, _outside(questions))
    return own_size(flat).reshape(shape[:2]), pooled.reshape(*shape[:2], shape[3])


def corrected(own: Sizes, pooled: Floats, calibrations: Mapping[str, Calibration] | None) -> Floats:
    """The same with what the records of earlier forecasts say; both arguments are as `forecasts` returns them."""
    logs = pooled.copy()
    for number, target in enumerate(TARGETS):
        if calibrations and (calibration := calibrations.get(target)):
            logs[:, number] = calibration.correct(own[:, number], pooled[:, number])
    return logs


def summarise(cell: Cell) -> PredictionData:
    """The numbers of a cell by itself: its own quantiles and shares, not pooled with anything.

    Raises:
        ValueError: the cell is empty.
    """
    summary = summary_of(cell)
    if not summary.events:
        raise ValueError("an empty cell says nothing")
    return _data(summary, summary.quantiles.tolist())


def chosen_of(question: Question) -> Summary:
    """The cell that answers.

    Raises:
        ValueError: it is empty.
    """
    cell = question.cells[question.level]
    if cell is None or not cell.events:
        raise ValueError("an empty cell says nothing")
    return cell


def _stacked(questions: Sequence[Question]) -> tuple[Sizes, Floats]:
    """Sizes `[question, histogram, level]` and quantiles `[question, histogram, level, share]`.

    A level that was not read is taken to know nothing beyond the next more specific one: it counts as many values.
    """
    levels = len(questions[0].cells)
    sizes = np.zeros((len(questions), 6, levels), dtype=np.int64)
    quantiles = np.zeros((len(questions), 6, levels, len(SHARES)))
    for row, question in enumerate(questions):
        exact = question.cells[0]
        alone = exact is not None and exact.stands_alone
        for level, cell in enumerate(question.cells):
            if cell is not None:
                sizes[row, :, level] = cell.sizes
                quantiles[row, :, level] = cell.quantiles
            elif alone and exact is not None:
                sizes[row, :, level] = exact.sizes
    quantiles[:, _INPUT_RATIO:] *= _RATIO_UNIT
    return sizes, quantiles


def _outside(questions: Sequence[Question]) -> Foreign | None:
    """What somebody else says, as `pool` takes it; a median of 0 has no logarithm and is not pooled."""
    if all(question.outside is None for question in questions):
        return None
    there = [question.outside or Outside(NO_DATA, _NOTHING) for question in questions]
    sizes = np.array([outside.summary.sizes for outside in there])
    quantiles = np.array([outside.summary.quantiles for outside in there])
    sizes[quantiles[:, :, _MEDIAN] == 0] = 0
    quantiles[:, _INPUT_RATIO:] *= _RATIO_UNIT
    levels = np.repeat([outside.level for outside in there], sizes.shape[1])
    return Foreign(levels, sizes.ravel(), to_logs(quantiles).reshape(-1, len(SHARES)))


def _data(cell: Summary, rows: Sequence[Sequence[float]]) -> PredictionData:
    return PredictionData(
        input_tokens=TokenDistribution(**_named(rows[_INPUT])),
        output_tokens=TokenDistribution(**_named(rows[_OUTPUT])),
        cost_usd_micros=_named(rows[_COST]) if cell.sizes[_COST] else {},
        duration_ms=_named(rows[_DURATION]),
        correction_factors=CorrectionFactors(
            input=round(rows[_INPUT_RATIO][_MEDIAN], 4) if cell.sizes[_INPUT_RATIO] else 1.0,
            output=round(rows[_OUTPUT_RATIO][_MEDIAN], 4) if cell.sizes[_OUTPUT_RATIO] else 1.0,
        ),
        quality=QualityPrediction(gate_pass_rate=cell.gate_pass_rate, success_rate=cell.success_rate),
    )


def _named(values: Sequence[float]) -> dict[str, float]:
    return dict(zip(QUANTILES, map(_rounded, values), strict=True))


def _rounded(value: float) -> float:
    """A quantile as a whole number, where that takes at most 1 % of it; else, as between small numbers, with two decimals."""
    whole = round(value)
    return whole if abs(value - whole) <= value / 100 else round(value, 2)
