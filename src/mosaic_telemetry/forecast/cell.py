"""A cell: what is known of all tasks that agree in some dimensions.

A cell is one vector of counts: a few plain counts, sums of weights, and the bins of histograms side by side, which hold weights as well.
So merging and subtracting cells is integer arithmetic, the order in which tasks are counted does not matter, and what was
counted can be taken out exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.forecast.counts import Counts, Keys
from mosaic_telemetry.forecast.histogram import BINS, Histogram, bins_of, quantiles_within, values_of
from mosaic_telemetry.forecast.ladder import ENOUGH

__all__ = ["ABSENT", "PLAIN", "Cell", "Tasks", "quantiles_of", "rates_of"]

ABSENT = -1
"""In `Tasks.keys`: the task says nothing of this."""

_ROOM = 4096  # keys of one histogram; BINS fits in
_EVENTS, _GATES_PASSED, _SUCCESSES, _PRICED, _INPUT_ESTIMATES, _OUTPUT_ESTIMATES, _WEIGHT, _GATES_PASSED_WEIGHT, _SUCCESSES_WEIGHT = range(9)

PLAIN = _WEIGHT
"""Keys below this one count tasks; this one and those above sum up weights."""

_INPUT_TOKENS, _OUTPUT_TOKENS, _COST, _DURATION, _INPUT_RATIO, _OUTPUT_RATIO = range(_ROOM, 7 * _ROOM, _ROOM)
_SIZES = {
    _INPUT_TOKENS: _EVENTS,
    _OUTPUT_TOKENS: _EVENTS,
    _COST: _PRICED,
    _DURATION: _EVENTS,
    _INPUT_RATIO: _INPUT_ESTIMATES,
    _OUTPUT_RATIO: _OUTPUT_ESTIMATES,
}
_SIZE_KEYS: Keys = np.array(list(_SIZES.values()))
_STARTS: Keys = np.arange(_ROOM, 8 * _ROOM, _ROOM)
_HISTOGRAMS = 6
_MEMBERS = 7 * _ROOM  # how many instances have a weight in each bin
_MEDIANS = range(8 * _ROOM, 12 * _ROOM, _ROOM)  # of each amount, what those instances weigh whose own median is in each bin
_STRETCH = 1 << 16  # keys of one cell
_FINE = 256  # a weight of 1, where instances are scaled
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Tasks:
    """Tasks by column: one-dimensional arrays of one length.

    Attributes:
        input_tokens: actual input tokens.
        output_tokens: actual output tokens.
        cost_micros: actual cost in micro-dollars.
        duration_ms: duration in milliseconds.
        estimated_input_tokens: the estimate, 0 where none was made.
        estimated_output_tokens: the estimate, 0 where none was made.
        gate_passed: whether all quality gates passed.
        success: whether the outcome was success.
        free: whether the model costs nothing (ollama), so that a cost of 0 is a fact.
    """

    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    cost_micros: NDArray[np.int64]
    duration_ms: NDArray[np.int64]
    estimated_input_tokens: NDArray[np.int64]
    estimated_output_tokens: NDArray[np.int64]
    gate_passed: NDArray[np.bool_]
    success: NDArray[np.bool_]
    free: NDArray[np.bool_]

    @property
    def priced(self) -> NDArray[np.bool_]:
        """Where the cost is known: a cost of 0 with tokens above 0 means that it is not, unless the model is free."""
        known: NDArray[np.bool_] = (self.cost_micros > 0) | (self.input_tokens + self.output_tokens == 0) | self.free
        return known

    def keys(self) -> Keys:
        """What each task adds to a cell: one row a task, one column a count, `ABSENT` where it adds nothing.

        A cost that is not known and a ratio to an estimate that was not made are absent.
        """
        everywhere = np.ones(len(self.input_tokens), dtype=np.bool_)
        estimated = self.estimated_input_tokens > 0, self.estimated_output_tokens > 0
        priced = self.priced
        return np.stack(
            [
                np.where(everywhere, _EVENTS, ABSENT),
                np.where(self.gate_passed, _GATES_PASSED, ABSENT),
                np.where(self.success, _SUCCESSES, ABSENT),
                np.where(priced, _PRICED, ABSENT),
                np.where(estimated[0], _INPUT_ESTIMATES, ABSENT),
                np.where(estimated[1], _OUTPUT_ESTIMATES, ABSENT),
                np.where(everywhere, _WEIGHT, ABSENT),
                np.where(self.gate_passed, _GATES_PASSED_WEIGHT, ABSENT),
                np.where(self.success, _SUCCESSES_WEIGHT, ABSENT),
                _place(_INPUT_TOKENS, self.input_tokens, everywhere),
                _place(_OUTPUT_TOKENS, self.output_tokens, everywhere),
                _place(_COST, self.cost_micros, priced),
                _place(_DURATION, self.duration_ms, everywhere),
                _place(_INPUT_RATIO, self.input_tokens / np.maximum(self.estimated_input_tokens, 1), estimated[0]),
                _place(_OUTPUT_RATIO, self.output_tokens / np.maximum(self.estimated_output_tokens, 1), estimated[1]),
            ],
            axis=1,
        )


class Cell:
    """Counts and histograms of the tasks in a cell. Mutable; equal cells have equal serial forms.

    Attributes:
        counts: the vector that it is.
    """

    __slots__ = ("counts",)

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = counts or Counts()

    @property
    def events(self) -> int:
        """Tasks counted."""
        return self.counts.get(_EVENTS)

    @property
    def gates_passed(self) -> int:
        """Tasks whose quality gates all passed."""
        return self.counts.get(_GATES_PASSED)

    @property
    def successes(self) -> int:
        """Tasks whose outcome was success."""
        return self.counts.get(_SUCCESSES)

    @property
    def weight(self) -> int:
        """What all tasks weigh together."""
        return self.counts.get(_WEIGHT)

    @property
    def gate_pass_rate(self) -> float:
        """The share of all weight that lies with tasks whose quality gates all passed; 0.0 for an empty cell."""
        return self.counts.get(_GATES_PASSED_WEIGHT) / max(self.weight, 1)

    @property
    def success_rate(self) -> float:
        """The share of all weight that lies with tasks whose outcome was success; 0.0 for an empty cell."""
        return self.counts.get(_SUCCESSES_WEIGHT) / max(self.weight, 1)

    @property
    def input_tokens(self) -> Histogram:
        """A copy: actual input tokens."""
        return self._histogram(_INPUT_TOKENS)

    @property
    def output_tokens(self) -> Histogram:
        """A copy: actual output tokens."""
        return self._histogram(_OUTPUT_TOKENS)

    @property
    def cost_micros(self) -> Histogram:
        """A copy: actual cost in micro-dollars, of tasks whose cost is known."""
        return self._histogram(_COST)

    @property
    def duration_ms(self) -> Histogram:
        """A copy: duration in milliseconds."""
        return self._histogram(_DURATION)

    @property
    def input_ratio(self) -> Histogram:
        """A copy: actual over estimated input tokens, of tasks with an estimate."""
        return self._histogram(_INPUT_RATIO)

    @property
    def output_ratio(self) -> Histogram:
        """A copy: actual over estimated output tokens, of tasks with an estimate."""
        return self._histogram(_OUTPUT_RATIO)

    def quantiles(self, shares: Sequence[float]) -> tuple[Keys, NDArray[np.float64]]:
        """The quantiles of all histograms in one pass, as `Histogram.quantiles` gives them one by one.

        Returns:
            How many values each histogram holds, and its quantiles, `[histogram, share]`; zeros where it is empty. The order is
            input tokens, output tokens, cost, duration, input ratio, output ratio.
        """
        sizes, quantiles = quantiles_of([self], shares)
        return sizes[0], quantiles[0]

    def add(self, tasks: Tasks, weights: Keys | None = None) -> None:
        """Count tasks, each with its weight (above 0); all weigh 1 where none are given."""
        keys = tasks.keys()
        there = keys != ABSENT
        weighed = np.ones(keys.shape, dtype=np.int64)
        if weights is not None:
            weighed[:, PLAIN:] = weights[:, None]
        found, places = np.unique(keys[there], return_inverse=True)
        sums = np.zeros(len(found), dtype=np.int64)
        np.add.at(sums, places, weighed[there])
        self.counts.merge(Counts(found, sums))

    def merge(self, other: Cell) -> None:
        """Count all that `other` has counted."""
        self.counts.merge(other.counts)

    def subtract(self, other: Cell) -> None:
        """Take out all that `other` has counted: the exact inverse of `merge`.

        Raises:
            ValueError: `other` has counted something that this cell has not; nothing is taken out then.
        """
        self.counts.subtract(other.counts)

    def halved(self, times: int) -> Cell:
        """A cell in which everything weighs half as much, so many times; plain counts stay.

        Raises:
            ValueError: a weight cannot be halved so often exactly.
        """
        factors = np.where(self.counts.keys < PLAIN, 1, 1 << times)
        if (self.counts.counts % factors).any():
            raise ValueError(f"weights cannot be halved {times} times exactly")
        return Cell(Counts(self.counts.keys, self.counts.counts // factors))

    def contribution(self, most: int) -> Cell:
        """What this share of one instance adds to a cell in which nobody counts for more than `most` tasks.

        Everything is scaled by min(1, most / n), in whole numbers: plain counts to the nearest, weights to a 256th downwards. Added is what the crowd
        is judged by: what the instance weighs, and where its own medians lie, from five tasks on.
        """
        events = self.events
        if not events:
            return Cell()
        kept = min(events, most)
        plain = self.counts.keys < PLAIN
        counts = self.counts.counts
        whole, rest = np.divmod(counts, events)
        scaled = np.where(plain, (2 * counts * kept + events) // (2 * events), whole * kept * _FINE + rest * kept * _FINE // events)
        used = scaled > 0
        cell = Cell(Counts(self.counts.keys[used], scaled[used]))
        weight = cell.weight
        keys = [_MEMBERS + int(bins_of(np.array([weight]))[0])]
        weights = [1]
        if events >= ENOUGH:
            sizes, medians = self.quantiles((0.5,))
            bins = bins_of(medians[: len(_MEDIANS), 0])
            keys += [start + int(place) for start, place, size in zip(_MEDIANS, bins, sizes, strict=False) if size]
            weights += [weight] * (len(keys) - 1)
        cell.counts = Counts(np.concatenate((cell.counts.keys, np.array(keys))), np.concatenate((cell.counts.counts, np.array(weights))))
        return cell

    def nameless(self) -> Cell:
        """The same tasks without what the cell knows of single instances (see `contribution`)."""
        kept = self.counts.keys < _MEMBERS
        return Cell(Counts(self.counts.keys[kept], self.counts.counts[kept]))

    @property
    def largest_share(self) -> float:
        """What the heaviest instance weighs of all, within 1 %; 0.0 where instances are not told apart."""
        members = self.counts.between(_MEMBERS, _MEMBERS + BINS)
        return float(values_of(members.keys[-1:])[0]) / self.weight if len(members.keys) else 0.0

    def share_apart(self, amount: int, low: float, high: float) -> float:
        """Which share of all weight lies with instances whose own median lies above `high`, or with those below `low`, whichever is more.

        Args:
            amount: its place among input tokens, output tokens, cost and duration.
            low: in the amount's unit.
            high: likewise.
        """
        medians = self.counts.between(_MEDIANS[amount], _MEDIANS[amount] + BINS)
        lowest, highest = bins_of(np.array([low, high]))
        first, last = medians.keys.searchsorted((lowest, highest + 1))
        return float(max(medians.counts[:first].sum(), medians.counts[last:].sum()) / self.weight) if len(medians.keys) else 0.0

    def copy(self) -> Cell:
        """An equal cell that goes its own way."""
        return Cell(Counts(self.counts.keys, self.counts.counts))

    def to_bytes(self) -> bytes:
        """Compact serial form, with a version byte."""
        return bytes([_VERSION]) + self.counts.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The cell that `to_bytes` wrote.

        Raises:
            ValueError: `data` is no serial form of a cell, or one of a newer version.
        """
        if data[:1] == b"\x01":
            return cls(_weighed(Counts.from_bytes(data)))
        if data[:1] != bytes([_VERSION]):
            raise ValueError(f"not a serial form of a cell that this program reads: it reads versions 1 and {_VERSION}")
        return cls(Counts.from_bytes(data[1:]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cell):
            return NotImplemented
        return self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"<Cell of {self.events} events>"

    def _histogram(self, start: int) -> Histogram:
        return Histogram.from_counts(self.counts.between(start, start + BINS), self.counts.get(_SIZES[start]))


def quantiles_of(cells: Sequence[Cell], shares: Sequence[float]) -> tuple[Keys, NDArray[np.float64]]:
    """`Cell.quantiles` of many cells in one pass: `[cell, histogram]` and `[cell, histogram, share]`."""
    if not cells:
        return np.zeros((0, _HISTOGRAMS), dtype=np.int64), np.zeros((0, _HISTOGRAMS, len(shares)))
    keys, counts, stretches = _side_by_side(cells)
    sizes = _found(keys, counts, stretches[:, None] + _SIZE_KEYS)
    if not len(keys):
        return sizes, np.zeros((*sizes.shape, len(shares)))
    bounds = keys.searchsorted(stretches[:, None] + _STARTS)
    # Histograms of one cell stand side by side, but between two cells lie other counts: each cell's last bound ends an empty one.
    inner = np.concatenate((sizes, np.zeros((len(cells), 1), dtype=np.int64)), axis=1).ravel()[:-1]
    found = quantiles_within(keys % _ROOM, counts, bounds.ravel(), inner, shares)
    whole = np.concatenate((found, np.zeros((1, len(shares))))).reshape(len(cells), _HISTOGRAMS + 1, len(shares))[:, :_HISTOGRAMS]
    return sizes, np.where(sizes[..., None] > 0, whole, 0.0)


def rates_of(cells: Sequence[Cell]) -> tuple[Keys, NDArray[np.float64], NDArray[np.float64]]:
    """`Cell.events`, `gate_pass_rate` and `success_rate` of many cells in one pass."""
    keys, counts, stretches = _side_by_side(cells)
    events, weight, *parts = _found(keys, counts, stretches + np.array([_EVENTS, _WEIGHT, _GATES_PASSED_WEIGHT, _SUCCESSES_WEIGHT])[:, None])
    passed, succeeded = (part / np.maximum(weight, 1) for part in parts)
    return events, passed, succeeded


def _side_by_side(cells: Sequence[Cell]) -> tuple[Keys, Keys, Keys]:
    """The keys and counts of all cells as one long vector, and where in it the stretch of keys begins that each cell has for itself."""
    stretches = np.arange(len(cells)) * _STRETCH
    if not cells:
        return stretches, stretches, stretches
    keys = np.concatenate([cell.counts.keys for cell in cells]) + np.repeat(stretches, [len(cell.counts.keys) for cell in cells])
    return keys, np.concatenate([cell.counts.counts for cell in cells]), stretches


def _found(keys: Keys, counts: Keys, wanted: Keys) -> Keys:
    """The count of each wanted key; 0 where it does not occur."""
    if not len(keys):
        return np.zeros(wanted.shape, dtype=np.int64)
    places = np.minimum(keys.searchsorted(wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, counts[places], 0)


def _weighed(counts: Counts) -> Counts:
    """The vector of version 1, which knew no weights: every task weighs 1."""
    plain = {key: counts.get(key) for key in (_EVENTS, _GATES_PASSED, _SUCCESSES)}
    sizes = {size: counts.between(start, start + BINS).total for start, size in _SIZES.items()}
    weights = {_WEIGHT: plain[_EVENTS], _GATES_PASSED_WEIGHT: plain[_GATES_PASSED], _SUCCESSES_WEIGHT: plain[_SUCCESSES]}
    head = {key: count for key, count in sorted({**plain, **sizes, **weights}.items()) if count}
    bins = counts.keys >= _ROOM
    return Counts(
        np.concatenate((np.array(list(head), dtype=np.int64), counts.keys[bins])),
        np.concatenate((np.array(list(head.values()), dtype=np.int64), counts.counts[bins])),
    )


def _place(start: int, values: NDArray[Any], known: NDArray[np.bool_]) -> Keys:
    return np.where(known, start + bins_of(values), ABSENT)
