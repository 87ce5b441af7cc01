"""From cells to the numbers of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast.calibration import Calibration
from mosaic_telemetry.forecast.cell import Cell, quantiles_of, rates_of
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
        return self.events >= FULL and all(size >= FULL or size == 0 for size in self.sizes[: len(TARGETS)].tolist())


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
    return list(map(Summary, *[column.tolist() for column in rates_of(cells)], *quantiles_of(cells, SHARES)))


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
    return _data(told(questions, constants, calibrations))


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
    cells = [chosen_of(question) if question.level != NO_DATA or question.outside is None else _NOTHING for question in questions]
    sizes, quantiles = np.array([cell.sizes for cell in cells]), np.array([cell.quantiles for cell in cells])
    rows = np.where(_alone(own, sizes, quantiles)[..., None], quantiles, amounts)
    answers = []
    for place, (question, cell) in enumerate(zip(questions, cells, strict=True)):
        if question.outside is None:
            answers.append(Summary(cell.events, cell.gate_pass_rate, cell.success_rate, cell.sizes, rows[place]))
        else:
            mixed = replace(cell, quantiles=_mixed(question, question.outside, cell, own[place], amounts[place]))
            answers.append(_beside(question, question.outside, mixed, constants.median))
    return answers


def _alone(own: Sizes, sizes: Sizes, quantiles: Floats) -> NDArray[np.bool_]:
    """Of each quantity, whether the answering cell's own quantiles stand; of one cell or of many.

    Args:
        own: how many values the most specific level has that has any.
        sizes: how many the answering cell has.
        quantiles: the answering cell's.
    """
    alone: NDArray[np.bool_] = (sizes == 0) | (quantiles[..., _MEDIAN] == 0) | (own >= FULL) & (own == sizes)
    return alone


def _mixed(question: Question, outside: Outside, cell: Summary, own: Sizes, pooled: Floats) -> Floats:
    """The quantiles of an answer beside somebody else's: its own, those of the other, or the pooled ones, whichever stand."""
    theirs, wider = outside.summary, question.level > outside.level
    # Beside somebody else's, own quantiles do not stand that are of a wider level than those.
    mine = _alone(own, cell.sizes, cell.quantiles) & (cell.sizes > 0) & ((theirs.sizes == 0) | (not wider))
    zero = (theirs.quantiles[:, _MEDIAN] == 0) | (cell.quantiles[:, _MEDIAN] == 0) & (cell.sizes > 0)
    foreign = (theirs.sizes > 0) & ((own == 0) | zero & (wider | (cell.sizes == 0)))
    return np.where(mine[:, None], cell.quantiles, np.where(foreign[:, None], theirs.quantiles, pooled))


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
    return _data([summary])[0]


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
    cells: list[Summary] = []
    for question in questions:
        exact = question.cells[0]
        unread = exact if exact is not None and exact.stands_alone else _NOTHING
        cells += [unread if cell is None else cell for cell in question.cells]
    shape = (len(questions), len(questions[0].cells), len(_NOTHING.sizes))
    sizes = np.concatenate([cell.sizes for cell in cells]).reshape(shape)
    quantiles = np.concatenate([cell.quantiles for cell in cells]).reshape(*shape, len(SHARES))
    quantiles[:, :, _INPUT_RATIO:] *= _RATIO_UNIT
    return sizes.transpose(0, 2, 1), quantiles.transpose(0, 2, 1, 3)


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


def _data(cells: Sequence[Summary]) -> list[PredictionData]:
    """What is told of each of these cells."""
    if not cells:
        return []
    quantiles = np.array([cell.quantiles for cell in cells])
    ratios = quantiles[:, _INPUT_RATIO:, _MEDIAN].tolist()
    return [_named(cell, rows, *factors) for cell, rows, factors in zip(cells, _rounded(quantiles[:, :_INPUT_RATIO]), ratios, strict=True)]


def _named(cell: Summary, rows: Sequence[Sequence[float]], input_ratio: float, output_ratio: float) -> PredictionData:
    by_name = [dict(zip(QUANTILES, row, strict=True)) for row in rows]
    return PredictionData(
        input_tokens=TokenDistribution(**by_name[_INPUT]),
        output_tokens=TokenDistribution(**by_name[_OUTPUT]),
        cost_usd_micros=by_name[_COST] if cell.sizes[_COST] else {},
        duration_ms=by_name[_DURATION],
        correction_factors=CorrectionFactors(
            input=round(input_ratio, 4) if cell.sizes[_INPUT_RATIO] else 1.0,
            output=round(output_ratio, 4) if cell.sizes[_OUTPUT_RATIO] else 1.0,
        ),
        quality=QualityPrediction(gate_pass_rate=cell.gate_pass_rate, success_rate=cell.success_rate),
    )


def _rounded(quantiles: Floats) -> list[list[list[float]]]:
    """Quantiles as whole numbers, where that takes at most 1 % of them; else, as between small numbers, with two decimals."""
    whole = np.rint(quantiles)
    rows: list[list[list[float]]] = whole.astype(np.int64).tolist()
    for place in np.argwhere(np.abs(quantiles - whole) > quantiles / 100).tolist():
        row, column, share = place
        rows[row][column][share] = round(float(quantiles[row, column, share]), 2)
    return rows
