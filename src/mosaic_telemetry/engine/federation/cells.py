"""What of a store's cells may leave it, and the form in which they do."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mosaic_telemetry.engine.keeping import PUBLIC
from mosaic_telemetry.engine.store import CellState, StoredCell
from mosaic_telemetry.forecast import LADDER, SHOWN_FROM, CellKey, own_ends, summaries
from mosaic_telemetry.forecast import Published as Crowd

__all__ = ["LEAST_CONTRIBUTORS", "Published", "PublishedCell", "to_publish"]

LEAST_CONTRIBUTORS = SHOWN_FROM
"""Instances from which on a cell is published, unless the operator says otherwise."""


class PublishedCell(msgspec.Struct, frozen=True, array_like=True):
    """A cell without what it knows of single instances.

    Attributes:
        level: of the ladder.
        values: the text of each dimension that this level keeps.
        instances: how many have a share in it.
        ends: whether its own p10 and p90 may be shown.
        updated_ms: when the newest of its events was received, in milliseconds since 1970.
        cell: its serial form.
    """

    level: int
    values: tuple[str, ...]
    instances: int
    ends: bool
    updated_ms: int
    cell: bytes

    @property
    def key(self) -> CellKey:
        """Its name."""
        return CellKey(self.level, self.values)


class Published(msgspec.Struct, frozen=True):
    """All that one server publishes.

    Attributes:
        source: who it is, in its own words.
        public: whether instances were weighed, as on a public server.
        least_contributors: instances that each cell has at least.
        landmark: the day since 1970 from which weights are reckoned.
        updated_ms: when the newest event in it was received, in milliseconds since 1970; 0 where there is none.
        cells: by level and dimensions.
    """

    source: str
    public: bool
    least_contributors: int
    landmark: int
    updated_ms: int
    cells: tuple[PublishedCell, ...]


def to_publish(state: CellState, cells: Mapping[CellKey, StoredCell], source: str, least: int = LEAST_CONTRIBUTORS) -> Published:
    """What a server publishes: the same bytes from the same cells, whenever it is asked.

    Args:
        state: of the cells.
        cells: all of the store.
        source: who publishes them.
        least: instances from which on a cell is published; on a public server never fewer than `LEAST_CONTRIBUTORS`.
    """
    public = state.profile == PUBLIC
    least = max(least, LEAST_CONTRIBUTORS) if public else least
    chosen = sorted(
        ((key, stored) for key, stored in cells.items() if key.level < len(LADDER) and stored.instances >= least and stored.cell.events),
        key=lambda pair: pair[0],
    )
    told = summaries([stored.cell for _, stored in chosen])
    rows = tuple(
        PublishedCell(
            *key,
            stored.instances,
            all(own_ends(Crowd(summary, stored.cell, stored.instances))) if public else True,
            stored.updated_ms,
            stored.cell.nameless().to_bytes(),
        )
        for (key, stored), summary in zip(chosen, told, strict=True)
    )
    return Published(source, public, least, state.landmark, max((row.updated_ms for row in rows), default=0), rows)
