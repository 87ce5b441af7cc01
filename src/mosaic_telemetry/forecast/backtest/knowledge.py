"""What the cells say at some point: of all known tasks, or of fewer, as on a younger server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mosaic_telemetry.forecast.backtest.table import Mask, Numbers, Table
from mosaic_telemetry.forecast.ladder import ENOUGH, LADDER
from mosaic_telemetry.forecast.pooling import SHARES, Floats, Sizes, to_logs

__all__ = ["Sight", "joined", "look", "thinned"]

_SHARES = np.array(SHARES)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of each exact cell that is asked for, and which of them each judged task belongs to.

    Attributes:
        sizes: values that each level holds, `[cell, level]`.
        quantiles: logarithms of their quantiles, `[cell, level, share]`; zeros where a level is empty.
        rows: for each judged task, its cell's place here.
    """

    sizes: Sizes
    quantiles: Floats
    rows: Numbers

    def ladder(self, least: int = ENOUGH) -> Floats:
        """The raw quantiles of the most specific level with at least so many values, `[cell, share]`; NaN where there is none."""
        enough = self.sizes >= least
        found: Floats = self.quantiles[np.arange(len(self.sizes)), enough.argmax(axis=1)].copy()
        found[~enough.any(axis=1)] = np.nan
        return found

    def level(self, level: int) -> Floats:
        """The raw quantiles of one level, `[cell, share]`; NaN where it is empty."""
        found: Floats = self.quantiles[:, level].copy()
        found[self.sizes[:, level] == 0] = np.nan
        return found


def look(table: Table, values: Floats, known: Mask, judged: Numbers) -> Sight:
    """What the tasks in `known` say of the tasks with the numbers `judged`."""
    cells, first, rows = np.unique(table.cells[judged, 0], return_index=True, return_inverse=True)
    sizes = np.zeros((len(cells), len(LADDER)), dtype=np.int64)
    quantiles = np.zeros((len(cells), len(LADDER), len(SHARES)))
    for level in range(len(LADDER)):
        asked = table.cells[judged[first], level]
        counts, found = _quantiles(table.cells[known, level], values[known], int(table.cells[:, level].max()) + 1)
        sizes[:, level], quantiles[:, level] = counts[asked], found[asked]
    return Sight(sizes, quantiles, rows)


def joined(sights: Sequence[Sight]) -> Sight:
    """Several sights as one, their judged tasks one after the other."""
    starts = np.cumsum([0, *(len(sight.sizes) for sight in sights)])
    return Sight(
        np.concatenate([sight.sizes for sight in sights]),
        np.concatenate([sight.quantiles for sight in sights]),
        np.concatenate([sight.rows + start for sight, start in zip(sights, starts[:-1], strict=True)]),
    )


def thinned(table: Table, known: Mask, rng: np.random.Generator) -> Mask:
    """Some of the known tasks: of each exact cell a number drawn evenly in its logarithm, from 1 to all.

    So cells of every age stand beside each other, as on a server to which models and kinds of work come one by one.
    """
    rows = rng.permutation(np.flatnonzero(known))
    cells = table.cells[rows, 0]
    order = cells.argsort(kind="stable")
    rows, cells = rows[order], cells[order]
    counts = np.bincount(cells, minlength=int(table.cells[:, 0].max()) + 1)
    kept = np.exp(rng.uniform(0.0, np.log(counts + 0.999).clip(0))).astype(np.int64)
    rank = np.arange(len(rows)) - (counts.cumsum() - counts)[cells]
    mask = np.zeros(len(known), dtype=np.bool_)
    mask[rows[rank < kept[cells]]] = True
    return mask


def _quantiles(cells: Numbers, values: Floats, many: int) -> tuple[Sizes, Floats]:
    """Size and logarithms of the quantiles of each cell, at once; the definition is that of `Histogram.quantiles`."""
    order = np.lexsort((values, cells))
    values = values[order]
    counts = np.bincount(cells, minlength=many)
    last = np.maximum(counts - 1, 0)[:, None]
    ranks = _SHARES * last
    floors = ranks.astype(np.int64)
    starts = (counts.cumsum() - counts)[:, None]
    low, high = (values[np.minimum(starts + place, max(len(values) - 1, 0))] for place in (floors, np.minimum(floors + 1, last)))
    return counts, np.where(counts[:, None] > 0, to_logs(low + (high - low) * (ranks - floors)), 0.0)
