"""Counting events into cells, shares and totals, without a store. All of it is linear: what was counted can be taken out again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.engine.store import COUNTS, EventRow, Share, ShareKey, TotalKey, Totals
from mosaic_telemetry.forecast import (
    ABSENT,
    PERIOD_DAYS,
    PLAIN,
    Cell,
    CellKey,
    Counts,
    Tasks,
    contribution,
    days_of,
    keys_of,
    recent_key,
    weights_of,
)
from mosaic_telemetry.schema import Outcome, Provider

__all__ = ["DAY_MS", "Counted", "Portion", "Weighing", "add_up", "added", "count", "counting", "days", "merged"]

DAY_MS = 86_400_000
_DENSE = 1 << 22

Numbers = NDArray[np.int64]
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Weighing:
    """How events are weighed.

    Attributes:
        landmark: the day since 1970 from which weights are reckoned.
        public: whether no instance may count for much, so that each one's share is kept by itself.
    """

    landmark: int
    public: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """What some events come to.

    Attributes:
        cells: by name, on every level of the ladder and by period; empty where instances are weighed, since cells are then made of shares.
        shares: what is whose.
    """

    cells: dict[CellKey, Cell]
    shares: dict[ShareKey, Share]

    def of_shares(self) -> dict[CellKey, Cell]:
        """The cells; where instances are weighed, as their shares make them up, if these are whole."""
        if self.cells:
            return self.cells
        cells: dict[CellKey, Cell] = {}
        for (key, _), share in self.shares.items():
            if share.cell is not None:
                cells.setdefault(key, Cell()).merge(contribution(share.cell))
        return cells


def merged(one: Counted, other: Counted) -> Counted:
    """What the events of both come to."""
    cells = {key: cell.copy() for key, cell in one.cells.items()}
    for key, cell in other.cells.items():
        if key in cells:
            cells[key].merge(cell)
        else:
            cells[key] = cell
    shares = dict(one.shares)
    for share_key, share in other.shares.items():
        shares[share_key] = share.joined(shares.get(share_key))
    return Counted(cells, shares)


def added(one: Mapping[TotalKey, Totals], other: Mapping[TotalKey, Totals]) -> dict[TotalKey, Totals]:
    """The totals of both."""
    totals = dict(one)
    for key, total in other.items():
        totals[key] = Totals(*map(sum, zip(total, totals.get(key, Totals()), strict=True)))
    return totals


def counting(rows: Sequence[EventRow]) -> list[EventRow]:
    """Those of the events that count."""
    return [row for row in rows if row.standing == COUNTS]


def days(rows: Sequence[EventRow]) -> Numbers:
    """The day since 1970 by which each event is weighed."""
    received, timestamps = np.array([row[2:4] for row in rows], dtype=np.int64).reshape(-1, 2).T
    return days_of(timestamps, received)


@dataclass(frozen=True, slots=True)
class Portion:
    """Events that count.

    Attributes:
        rows: one by one.
        tasks: the same by column.
    """

    rows: Sequence[EventRow]
    tasks: Tasks

    @classmethod
    def of(cls, events: Sequence[EventRow] | Portion) -> Portion:
        """Those of the events that count."""
        if isinstance(events, Portion):
            return events
        rows = counting(events)
        return cls(rows, _tasks(rows))

    def beyond(self, sequence: int) -> Portion:
        """Those that were stored after one of them."""
        if self.rows and self.rows[0].sequence > sequence:
            return self
        return Portion.of([row for row in self.rows if row.sequence > sequence])


def count(events: Sequence[EventRow] | Portion, weighing: Weighing) -> Counted:
    """Count each event that counts once into each cell that it belongs to."""
    portion = Portion.of(events)
    rows, tasks = portion.rows, portion.tasks
    if not rows:
        return Counted({}, {})
    when = days(rows)
    periods = (when // PERIOD_DAYS).tolist()
    groups: dict[tuple[tuple[str, str, str, str], int], int] = {}
    members = np.array([groups.setdefault((row[5:9], period), len(groups)) for row, period in zip(rows, periods, strict=True)], dtype=np.int64)
    ladders = [_names(*group) for group in groups]
    shares = _shares(rows, members, ladders)
    weights = weights_of(when, weighing.landmark)
    if not weighing.public:
        return Counted(_cells(members, ladders, tasks, weights), shares)
    owned: dict[tuple[int, int], int] = {}
    instances = [row.instance for row in rows]
    owners = np.array([owned.setdefault(pair, len(owned)) for pair in zip(members.tolist(), instances, strict=True)], dtype=np.int64)
    parts = _cells(owners, [tuple([(key, instance) for key in ladders[group]]) for group, instance in owned], tasks, weights)
    return Counted({}, {key: Share(share.events, share.updated_ms, parts[key]) for key, share in shares.items()})


def _names(dimensions: tuple[str, str, str, str], period: int) -> tuple[CellKey, ...]:
    """The cells that a task of these dimensions and this period belongs to."""
    keys = keys_of(*dimensions)
    return (*keys, recent_key(keys[0], period))


def _tasks(rows: Sequence[EventRow]) -> Tasks:
    """The events by column."""
    numbers = np.array([row[11:] for row in rows], dtype=np.int64).reshape(len(rows), len(EventRow._fields) - 11).T
    success = np.array([row.outcome == Outcome.SUCCESS for row in rows])
    free = np.array([row.provider == Provider.OLLAMA for row in rows])
    gate_passed, input_tokens, output_tokens, cost, duration, estimated_input, estimated_output = numbers
    return Tasks(input_tokens, output_tokens, cost, duration, estimated_input, estimated_output, gate_passed.astype(np.bool_), success, free)


def _cells(members: Numbers, ladders: Sequence[tuple[Name, ...]], tasks: Tasks, weights: Numbers) -> dict[Name, Cell]:
    """The cells of all levels: the rows are counted by group once, in one sort, and each level adds up groups."""
    what = tasks.keys()
    there = what != ABSENT
    amounts = np.where(np.arange(what.shape[1]) < PLAIN, 1, weights[:, None])
    owners_of, keys_of_all, weights_of_all = np.broadcast_to(members[:, None], what.shape)[there], what[there], amounts[there]
    if len(ladders) * len(found := Counts.of(keys_of_all).keys) <= _DENSE:
        return _dense(ladders, found, owners_of * len(found) + found.searchsorted(keys_of_all), weights_of_all)
    tags, counts = _summed((owners_of << 16) | keys_of_all, weights_of_all)
    groups, keys = tags >> 16, tags & 0xFFFF
    cells: dict[Name, Cell] = {}
    for level in range(len(ladders[0])):
        places: dict[Name, int] = {}
        owners = np.array([places.setdefault(ladder[level], len(places)) for ladder in ladders], dtype=np.int64)
        summed_tags, summed = _summed((owners[groups] << 16) | keys, counts)
        bounds = summed_tags.searchsorted(np.arange(len(places) + 1) << 16).tolist()
        summed_keys = summed_tags & 0xFFFF
        for key, start, end in zip(places, bounds, bounds[1:], strict=False):
            cells[key] = Cell(Counts(summed_keys[start:end], summed[start:end]))
    return cells


def _dense(ladders: Sequence[tuple[Name, ...]], keys: Numbers, places: Numbers, weights: Numbers) -> dict[Name, Cell]:
    """The same where a table of all groups and keys is small: adding up its rows is much faster than to sort.

    Args:
        ladders: the cells of each group.
        keys: those that occur, rising; the columns of the table.
        places: where in the table each count belongs.
        weights: each count.
    """
    # Sums of weights stay far below 2^53, so that they are exact as floats.
    table = np.bincount(places, weights, len(ladders) * len(keys)).astype(np.int64).reshape(len(ladders), len(keys))
    cells: dict[Name, Cell] = {}
    for level in range(len(ladders[0])):
        members: dict[Name, list[int]] = {}
        for group, ladder in enumerate(ladders):
            members.setdefault(ladder[level], []).append(group)
        for name, groups in members.items():
            counts = table[groups].sum(axis=0) if len(groups) > 1 else table[groups[0]]
            there = counts.nonzero()[0]
            cells[name] = Cell(Counts(keys[there], counts[there]))
    return cells


def _summed(tags: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Each tag once, rising, with the sum of its counts."""
    order = tags.argsort(kind="stable")
    tags = tags[order]
    starts = np.flatnonzero(np.concatenate(([True], tags[1:] != tags[:-1])))
    return tags[starts], np.add.reduceat(counts[order], starts)


def _shares(rows: Sequence[EventRow], members: Numbers, ladders: Sequence[tuple[CellKey, ...]]) -> dict[ShareKey, Share]:
    instances, places = np.unique(np.array([row.instance for row in rows], dtype=np.int64), return_inverse=True)
    received = np.array([row.received_ms for row in rows], dtype=np.int64)
    pairs, events, newest = _joined(members * len(instances) + places, np.ones(len(rows), dtype=np.int64), received)
    groups, owners = np.divmod(pairs, len(instances))
    shares: dict[ShareKey, Share] = {}
    for level in range(len(ladders[0])):
        numbers: dict[CellKey, int] = {}
        cells = np.array([numbers.setdefault(ladder[level], len(numbers)) for ladder in ladders], dtype=np.int64)
        names = list(numbers)
        found, sums, latest = _joined(cells[groups] * len(instances) + owners, events, newest)
        whose = zip((found // len(instances)).tolist(), instances[found % len(instances)].tolist(), sums.tolist(), latest.tolist(), strict=True)
        shares |= {(names[cell], instance): Share(count, at) for cell, instance, count, at in whose}
    return shares


def _joined(tags: Numbers, counts: Numbers, times: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Each tag once, rising, with the sum of its counts and the latest of its times."""
    order = tags.argsort(kind="stable")
    tags = tags[order]
    starts = np.flatnonzero(np.concatenate(([True], tags[1:] != tags[:-1])))
    return tags[starts], np.add.reduceat(counts[order], starts), np.maximum.reduceat(times[order], starts)


def add_up(events: Sequence[EventRow] | Portion) -> dict[TotalKey, Totals]:
    """The totals of the events that count."""
    portion = Portion.of(events)
    rows, tasks = portion.rows, portion.tasks
    if not rows:
        return {}
    places: dict[tuple[int | str, ...], int] = {}
    owners = np.array([places.setdefault((row.timestamp_ms // DAY_MS, *row[5:10]), len(places)) for row in rows], dtype=np.int64)
    priced = tasks.priced
    columns = np.stack(
        [
            np.ones(len(rows), dtype=np.int64),
            tasks.success,
            tasks.gate_passed,
            priced,
            priced & tasks.success,
            np.where(priced, tasks.cost_micros, 0),
            tasks.input_tokens,
            tasks.output_tokens,
            tasks.duration_ms,
        ],
        axis=1,
    ).astype(np.int64)
    sums = np.zeros((len(places), columns.shape[1]), dtype=np.int64)
    np.add.at(sums, owners, columns)
    return {TotalKey(*place): Totals(*numbers) for place, numbers in zip(places, sums.tolist(), strict=True)}  # type: ignore[arg-type]  # a day, then texts
