"""Settled events out of their table.

An event is deleted in two steps. Which are to go is kept in the other database, in the transaction that takes them out of the cells;
then they are deleted here, by whoever comes first: nothing is read, and no slice is made, before that is done. So the cells and the
events never differ, whatever is killed when. Deleting is safe to repeat, and to do by two at once: it is about numbers, which belong to
one event for good.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from mosaic_telemetry.engine.store.accounts import AccountStore
from mosaic_telemetry.engine.store.clickhouse.ddl import EVENT_IDS, EVENTS, INCOMING
from mosaic_telemetry.engine.store.clickhouse.link import Link, literal
from mosaic_telemetry.engine.store.clickhouse.slices import Slices, SlicesStore, outside
from mosaic_telemetry.engine.store.values import EventRow

__all__ = ["NAME", "Deletions", "once", "read_events"]

T = TypeVar("T", bound=tuple[Any, ...])

NAME = "clickhouse deletions"
_CHUNK = 4000

_READ = """
SELECT sequence, instance, received_ms, timestamp_ms, standing, task_type, model, provider, complexity, harness, outcome, quality_gate_passed,
       actual_input_tokens, actual_output_tokens, actual_cost_usd_micros, task_duration_ms, estimated_input_tokens, estimated_output_tokens
FROM events WHERE sequence > {after} AND sequence <= {up_to}{where} ORDER BY sequence LIMIT {limit}
"""


def read_events(link: Link, slices: Slices, where: tuple[int, int, int, int | None]) -> list[EventRow]:
    """The first events above one sequence and up to another, at most so many, of one instance if it is given."""
    after, up_to, limit, instance = where
    up_to = min(up_to, slices.settled)
    if after >= up_to or limit <= 0:
        return []
    conditions = outside(slices.struck, after, up_to) + ("" if instance is None else f" AND instance = {instance:d}")
    return [EventRow(*row) for row in once(link.rows(_READ.format(after=after, up_to=up_to, where=conditions, limit=limit)))]


def once(rows: Iterable[T]) -> list[T]:
    """Rows in the order of the number that each begins with, one a number.

    An insert that is tried again is known by its token. Should ClickHouse ever forget one, a number stands there twice, and is one event.
    """
    return [next(same) for _, same in groupby(rows, itemgetter(0))]


class Deletions:
    """Events that are to be deleted.

    Args:
        link: to ClickHouse.
        accounts: the store of the other database.
        slices: by which no slice is made while events are deleted.
    """

    def __init__(self, link: Link, accounts: AccountStore, slices: SlicesStore) -> None:
        self._link = link
        self._accounts = accounts
        self._slices = slices

    def noted(self, sequences: Sequence[int]) -> dict[str, str]:
        """The setting that says that they are to go."""
        return {NAME: json.dumps(_ranges(sequences))}

    def due(self) -> bool:
        """Whether any are to go."""
        return bool(self._accounts.setting(NAME))

    def finish(self) -> None:
        """Delete what is to go, with its ids, and wherever else an event of these ids came in."""
        while self._accounts.setting(NAME):
            opened = self._slices.open(0)  # an event that is deleted must not be in a slice that somebody makes at this moment
            if opened is None:
                continue
            try:
                text = self._accounts.setting(NAME)
                if text and self._delete(json.loads(text), opened):
                    self._accounts.change_setting(NAME, text, "").result()
            finally:
                self._slices.change(opened, opened.committed(0))

    def _delete(self, ranges: Sequence[Sequence[int]], opened: Slices) -> bool:
        """Delete some numbers; False where somebody else lost patience, and does the rest."""
        numbers = [number for first, last in ranges for number in range(first, last + 1)]
        for start in range(0, len(numbers), _CHUNK):
            if self._slices.read() != opened:
                return False
            chosen = f"sequence IN ({', '.join(map(str, numbers[start : start + _CHUNK]))})"
            ids = [row[0] for row in self._link.rows(f"SELECT DISTINCT event_id FROM {EVENTS.name} WHERE {chosen}")]  # noqa: S608 - numbers
            if ids:
                some = f"event_id IN ({', '.join(map(literal, ids))})"
                self._link.delete(INCOMING, some)
                self._link.delete(EVENT_IDS, f"{some} AND {chosen}")
                self._link.delete(EVENTS, chosen)  # last: the ids are read from here when this is done again
        return True


def _ranges(sequences: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers as ranges, both ends included."""
    ranges: list[tuple[int, int]] = []
    for sequence in sorted(sequences):
        if ranges and ranges[-1][1] == sequence - 1:
            ranges[-1] = (ranges[-1][0], sequence)
        else:
            ranges.append((sequence, sequence))
    return ranges
