"""Ladders that were climbed, which need not be climbed again while the cells are what they were."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from mosaic_telemetry.engine.ladders import Dimensions, Find, Ladder, climb
from mosaic_telemetry.forecast import Cell

__all__ = ["Known", "KnownLadders"]

_MOST = 5000


class Known:
    """Ladders on cells that did not change in between. Safe to use from several threads."""

    def __init__(self) -> None:
        self._ladders: dict[Dimensions, Ladder] = {}

    def __len__(self) -> int:
        return len(self._ladders)

    def climb(self, asked: Sequence[Dimensions], find: Find, today: int, *, public: bool) -> list[Ladder]:
        """As `climb` of `ladders`, but for the cells themselves: they take much room, and an answer needs only what was read off them."""
        missing = [dimensions for dimensions in dict.fromkeys(asked) if dimensions not in self._ladders]
        if missing:
            climbed = climb(missing, find, today, public=public)
            self._ladders |= {dimensions: _without_cells(ladder) for dimensions, ladder in zip(missing, climbed, strict=True)}
        return [self._ladders[dimensions] for dimensions in asked]


class KnownLadders:
    """The ladders of one store, as they are now. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: tuple[Hashable, Known] = (None, Known())  # one value, so that no thread adds to another stamp's

    def at(self, stamp: Hashable) -> Known:
        """Those that were climbed with this stamp.

        Args:
            stamp: all that ladders depend on, as it was before the cells are read: what is read later is at least as new.
        """
        kept = self._kept
        if kept[0] != stamp or len(kept[1]) > _MOST:
            kept = self._kept = (stamp, Known())
        return kept[1]


def _without_cells(ladder: Ladder) -> Ladder:
    return replace(ladder, stored=[replace(stored, cell=Cell()) if stored else None for stored in ladder.stored])
