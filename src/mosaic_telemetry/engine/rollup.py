"""Counting events into cells, shares and totals, without a store. All of it is linear: what was counted can be taken out again."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mosaic_telemetry.engine.portions import Dimensions, Numbers, Portion, numbered
from mosaic_telemetry.engine.store import EventRow, Share, ShareKey, TotalKey, Totals
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

__all__ = ["DAY_MS", "Counted", "Weighing", "add_up", "added", "count", "merged"]

DAY_MS = 86_400_000
_DENSE = 1 << 22

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


def count(events: Sequence[EventRow] | Portion, weighing: Weighing) -> Counted:
    """Count each event that counts once into each cell that it belongs to."""
    portion = Portion.of(events)
    if not portion.rows:
        return Counted({}, {})
    when = days_of(portion.timestamps_ms, portion.received_ms)
    first = int(when.min()) // PERIOD_DAYS
    groups, members = np.unique((when // PERIOD_DAYS - first) * len(portion.kinds) + portion.kind_of, return_inverse=True)
    periods, kinds = (part.tolist() for part in np.divmod(groups, len(portion.kinds)))
    ladders = [_names(portion.kinds[kind], first + period) for kind, period in zip(kinds, periods, strict=True)]
    shares = _shares(portion, members, ladders)
    weights = weights_of(when, weighing.landmark)
    if not weighing.public:
        return Counted(_cells(members, ladders, portion.tasks, weights), shares)
    owned, owners = numbered(list(zip(members.tolist(), portion.instances.tolist(), strict=True)))
    parts = _cells(owners, [tuple([(key, instance) for key in ladders[group]]) for group, instance in owned], portion.tasks, weights)
    return Counted({}, {key: Share(share.events, share.updated_ms, parts[key]) for key, share in shares.items()})


def _names(dimensions: Dimensions, period: int) -> tuple[CellKey, ...]:
    """The cells that a task of these dimensions and this period belongs to."""
    keys = keys_of(*dimensions)
    return (*keys, recent_key(keys[0], period))


def _cells(members: Numbers, ladders: Sequence[tuple[Name, ...]], tasks: Tasks, weights: Numbers) -> dict[Name, Cell]:
    """The cells of all levels: the rows are counted by group once, in one sort, and each level adds up groups."""
    what = tasks.keys()
    there = what != ABSENT
    amounts = np.where(np.arange(what.shape[1]) < PLAIN, 1, weights[:, None])
    owners_of, keys_of_all, weights_of_all = np.broadcast_to(members[:, None], what.shape)[there], what[there], amounts[there]
    if len(ladders) * len(found := Counts.of(keys_of_all).keys) <= _DENSE:
        columns = np.zeros(found[-1] + 1, dtype=np.int64)
        columns[found] = np.arange(len(found))
        return _dense(ladders, found, owners_of * len(found) + columns[keys_of_all], weights_of_all)
    tags, counts = _summed((owners_of << 16) | keys_of_all, weights_of_all)
    groups, keys = tags >> 16, tags & 0xFFFF
    cells: dict[Name, Cell] = {}
    for level in range(len(ladders[0])):
        names, owners = numbered([ladder[level] for ladder in ladders])
        summed_tags, summed = _summed((owners[groups] << 16) | keys, counts)
        bounds = summed_tags.searchsorted(np.arange(len(names) + 1) << 16).tolist()
        summed_keys = summed_tags & 0xFFFF
        for key, start, end in zip(names, bounds, bounds[1:], strict=False):
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
    groups = _parts(table, keys)
    cells: dict[Name, Cell] = {}
    for level in range(len(ladders[0])):
        names, owners = numbered([ladder[level] for ladder in ladders])
        parts = groups
        if len(names) < len(ladders):
            order = owners.argsort(kind="stable")
            parts = _parts(np.add.reduceat(table[order], owners[order].searchsorted(np.arange(len(names))), axis=0), keys)
        cells |= {name: Cell(Counts(*part)) for name, part in zip(names, parts, strict=True)}
    return cells


def _parts(table: Numbers, keys: Numbers) -> list[tuple[Numbers, Numbers]]:
    """Of each row of a table the keys of those columns that hold anything, and what they hold."""
    places = np.flatnonzero(table)
    counts, found = table.ravel()[places], keys[places % len(keys)]
    bounds = places.searchsorted(np.arange(len(table) + 1) * len(keys)).tolist()
    return [(found[start:end], counts[start:end]) for start, end in itertools.pairwise(bounds)]


def _summed(tags: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Each tag once, rising, with the sum of its counts."""
    order = tags.argsort(kind="stable")
    tags = tags[order]
    starts = np.flatnonzero(np.concatenate(([True], tags[1:] != tags[:-1])))
    return tags[starts], np.add.reduceat(counts[order], starts)


def _shares(portion: Portion, members: Numbers, ladders: Sequence[tuple[CellKey, ...]]) -> dict[ShareKey, Share]:
    instances, places = np.unique(portion.instances, return_inverse=True)
    pairs, events, newest = _joined(members * len(instances) + places, np.ones(len(places), dtype=np.int64), portion.received_ms)
    groups, owners = np.divmod(pairs, len(instances))
    shares: dict[ShareKey, Share] = {}
    for level in range(len(ladders[0])):
        names, cells = numbered([ladder[level] for ladder in ladders])
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
    if not portion.rows:
        return {}
    tasks, priced = portion.tasks, portion.tasks.priced
    when = portion.timestamps_ms // DAY_MS
    first = int(when.min())
    tags = (when - first) * len(portion.labels) + portion.label_of
    order = tags.argsort(kind="stable")
    found, starts = np.unique(tags[order], return_index=True)
    columns = [
        np.ones(len(tags), dtype=np.int64),
        tasks.success,
        tasks.gate_passed,
        priced,
        priced & tasks.success,
        np.where(priced, tasks.cost_micros, 0),
        tasks.input_tokens,
        tasks.output_tokens,
        tasks.duration_ms,
    ]
    sums = [np.add.reduceat(column[order], starts, dtype=np.int64).tolist() for column in columns]
    keys = [
        TotalKey(first + day, *portion.labels[label]) for day, label in zip(*(part.tolist() for part in np.divmod(found, len(portion.labels))), strict=True)
    ]
    return dict(zip(keys, map(Totals, *sums), strict=True))
