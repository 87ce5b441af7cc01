"""Counting events into cells, shares and totals, without a store. All of it is linear: what was counted can be taken out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mosaic_telemetry.engine.store import COUNTS, EventRow, Share, ShareKey, TotalKey, Totals
from mosaic_telemetry.forecast import ABSENT, Cell, CellKey, Counts, Tasks, keys_of
from mosaic_telemetry.schema import Outcome, Provider

__all__ = ["DAY_MS", "Counted", "count", "merged"]

DAY_MS = 86_400_000

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counted:
    """What some events come to.

    Attributes:
        cells: by name, on every level of the ladder.
        shares: what of these cells is whose.
        totals: by day and dimensions.
    """

    cells: dict[CellKey, Cell]
    shares: dict[ShareKey, Share]
    totals: dict[TotalKey, Totals]


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
    totals = dict(one.totals)
    for total_key, total in other.totals.items():
        totals[total_key] = Totals(*map(sum, zip(total, totals.get(total_key, Totals()), strict=True)))
    return Counted(cells, shares, totals)


def count(rows: Sequence[EventRow]) -> Counted:
    """Count each event that counts once into each cell that it belongs to."""
    rows = [row for row in rows if row.standing == COUNTS]
    if not rows:
        return Counted({}, {}, {})
    groups: dict[tuple[str, ...], int] = {}
    members = np.array([groups.setdefault(row[5:9], len(groups)) for row in rows], dtype=np.int64)
    ladders = [keys_of(*dimensions) for dimensions in groups]
    tasks = _tasks(rows)
    return Counted(_cells(members, ladders, tasks), _shares(rows, members, ladders), _totals(rows, tasks))


def _tasks(rows: Sequence[EventRow]) -> Tasks:
    numbers = np.array([row[11:] for row in rows], dtype=np.int64).T
    success = np.array([row.outcome == Outcome.SUCCESS for row in rows])
    free = np.array([row.provider == Provider.OLLAMA for row in rows])
    gate_passed, input_tokens, output_tokens, cost, duration, estimated_input, estimated_output = numbers
    return Tasks(input_tokens, output_tokens, cost, duration, estimated_input, estimated_output, gate_passed.astype(np.bool_), success, free)


def _cells(members: Numbers, ladders: Sequence[tuple[CellKey, ...]], tasks: Tasks) -> dict[CellKey, Cell]:
    """The cells of all levels: the rows are counted by group once, in one sort, and each level adds up groups."""
    what = tasks.keys()
    tags, counts = np.unique(((members[:, None] << 16) | what)[what != ABSENT], return_counts=True)
    groups, keys = tags >> 16, tags & 0xFFFF
    cells: dict[CellKey, Cell] = {}
    for level in range(len(ladders[0])):
        places: dict[CellKey, int] = {}
        owners = np.array([places.setdefault(ladder[level], len(places)) for ladder in ladders], dtype=np.int64)
        summed_tags, summed = _summed((owners[groups] << 16) | keys, counts)
        bounds = summed_tags.searchsorted(np.arange(len(places) + 1) << 16).tolist()
        summed_keys = summed_tags & 0xFFFF
        for key, start, end in zip(places, bounds, bounds[1:], strict=False):
            cells[key] = Cell(Counts(summed_keys[start:end], summed[start:end]))
    return cells


def _summed(tags: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Each tag once, rising, with the sum of its counts."""
    order = tags.argsort(kind="stable")
    tags = tags[order]
    starts = np.flatnonzero(np.concatenate(([True], tags[1:] != tags[:-1])))
    return tags[starts], np.add.reduceat(counts[order], starts)


def _shares(rows: Sequence[EventRow], members: Numbers, ladders: Sequence[tuple[CellKey, ...]]) -> dict[ShareKey, Share]:
    parts: dict[tuple[int, int], tuple[int, int]] = {}
    for row, group in zip(rows, members.tolist(), strict=True):
        events, newest = parts.get((group, row.instance), (0, 0))
        parts[group, row.instance] = (events + 1, max(newest, row.received_ms))
    shares: dict[ShareKey, Share] = {}
    for (group, instance), (events, newest) in parts.items():
        for key in ladders[group]:
            shares[key, instance] = Share(events, newest).joined(shares.get((key, instance)))
    return shares


def _totals(rows: Sequence[EventRow], tasks: Tasks) -> dict[TotalKey, Totals]:
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
