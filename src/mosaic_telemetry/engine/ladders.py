"""From dimensions to what is known of them on each level of the ladder, as an answer needs it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mosaic_telemetry.engine.portions import Dimensions
from mosaic_telemetry.engine.store import StoredCell
from mosaic_telemetry.forecast import (
    ENOUGH,
    NO_DATA,
    PERIOD_DAYS,
    CellKey,
    Outside,
    Published,
    Question,
    Summary,
    follow,
    keys_of,
    publish,
    recent_key,
    summaries,
)

__all__ = ["Dimensions", "Find", "Ladder", "climb"]

Find = Callable[[Iterable[CellKey]], Mapping[CellKey, StoredCell]]

_ENOUGH_TO_CHANGE = 20  # tasks from which on a cell can have recent ones and earlier ones enough


@dataclass(frozen=True, slots=True)
class Ladder:
    """What is known of some dimensions.

    Attributes:
        stored: the cell of each level; None where it is empty or not needed.
        summaries: what may be said of it; None likewise, and where a public server does not show it.
        recent: whether the exact level's numbers are, in part, of its recent tasks alone.
        level: the most specific level with enough data to answer, or `NO_DATA`.
    """

    stored: Sequence[StoredCell | None]
    summaries: Sequence[Summary | None]
    recent: bool
    level: int = field(init=False)

    def __post_init__(self) -> None:
        level = next((level for level, summary in enumerate(self.summaries) if summary and summary.events >= ENOUGH), NO_DATA)
        object.__setattr__(self, "level", level)  # once: every answer asks for it several times

    @property
    def question(self) -> Question:
        """To be asked where there is data."""
        return self.question_beside(None)

    def question_beside(self, outside: Outside | None) -> Question:
        """The same, beside somebody else's answer."""
        return Question(self.level, self.summaries, outside)

    def outweighs(self, outside: Outside) -> bool:
        """Whether so much is known, as specific as that or more so, that it adds nothing."""
        exact, own = self.summaries[0], self.summaries[outside.level]
        return (exact is not None and exact.stands_alone) or (own is not None and own.stands_alone)


def climb(asked: Sequence[Dimensions], find: Find, today: int, *, public: bool) -> list[Ladder]:
    """The ladder of each of these dimensions; each cell is read once, and wider ones only where they can change the numbers.

    Args:
        asked: the dimensions.
        find: reads cells.
        today: the day since 1970.
        public: whether the cells are those of a public server.
    """
    names = [keys_of(*dimensions) for dimensions in asked]
    cells = _Cells(find, public=public)
    cells.read(keys[0] for keys in names)
    periods = [today // PERIOD_DAYS - 1, today // PERIOD_DAYS]
    cells.read_recent([key for key, found in cells.stored.items() if found.cell.events >= _ENOUGH_TO_CHANGE], periods)
    exact = cells.followed({keys[0] for keys in names})
    alone = {key for key, (summary, _) in exact.items() if summary and summary.stands_alone and not public}
    cells.read(key for keys in names if keys[0] not in alone for key in keys[1:])
    return [_ladder(keys, cells, exact[keys[0]], alone=keys[0] in alone, public=public) for keys in names]


class _Cells:
    """The cells that were read, with their summaries."""

    def __init__(self, find: Find, *, public: bool) -> None:
        self._find = find
        self._public = public
        self.stored: dict[CellKey, StoredCell] = {}
        self.summaries: dict[CellKey, Summary] = {}
        self._recent: dict[CellKey, Published] = {}

    def read(self, keys: Iterable[CellKey]) -> None:
        found = self._find(key for key in dict.fromkeys(keys) if key not in self.stored)
        self.stored |= found
        self.summaries |= dict(zip(found, summaries([stored.cell for stored in found.values()]), strict=True))

    def read_recent(self, keys: Sequence[CellKey], periods: Sequence[int]) -> None:
        """Read what is recent of exact cells."""
        if not keys:
            return
        found = self._find([recent_key(key, period) for key in keys for period in periods])
        recent: dict[CellKey, StoredCell] = {}
        for key in keys:
            parts = [found[name] for name in (recent_key(key, period) for period in periods) if name in found]
            if parts:
                cell = parts[0].cell.copy()
                for part in parts[1:]:
                    cell.merge(part.cell)
                # Who reported in both periods is counted once.
                recent[key] = StoredCell(cell, max(part.updated_ms for part in parts), max(part.instances for part in parts))
        told = summaries([stored.cell for stored in recent.values()])
        self._recent = {key: Published(summary, stored.cell, stored.instances) for (key, stored), summary in zip(recent.items(), told, strict=True)}

    def followed(self, keys: Collection[CellKey]) -> dict[CellKey, tuple[Summary | None, bool]]:
        """What is known of exact cells, and whether some of it is of their recent tasks alone."""
        recent = {key: told for key in keys if key in self._recent and (told := self._told(key))}
        followed = dict(zip(recent, follow([self.summaries[key] for key in recent], list(recent.values())), strict=True))
        return {key: followed.get(key, (self.summaries.get(key), False)) for key in keys}

    def _told(self, key: CellKey) -> Summary | None:
        """What may be said of what is recent."""
        recent = self._recent[key]
        return publish([recent, self.published(key)])[0] if self._public else recent.summary

    def published(self, key: CellKey) -> Published | None:
        stored = self.stored.get(key)
        return Published(self.summaries[key], stored.cell, stored.instances) if stored else None


def _ladder(keys: Sequence[CellKey], cells: _Cells, exact: tuple[Summary | None, bool], *, alone: bool, public: bool) -> Ladder:
    stored = [cells.stored.get(key) if level == 0 or not alone else None for level, key in enumerate(keys)]
    told: list[Summary | None] = [cells.summaries[key] if found else None for key, found in zip(keys, stored, strict=True)]
    if public:
        told = publish([cells.published(key) if found else None for key, found in zip(keys, stored, strict=True)])
        if told[0] is not None and exact[1]:
            told[0] = exact[0]
        return Ladder(stored, told, exact[1] and told[0] is not None)
    return Ladder(stored, [exact[0], *told[1:]], exact[1])
