"""From what came in to what counts: each event once, under a number that is its own for good.

A slice is made of whole blocks, whenever they become visible, so nothing hangs on clocks or on how long an insert may take. Making it
is safe to break off and to repeat, since events are known by their ids: a block that is settled a second time, or was sent a second
time, adds nothing.

What goes into a slice is read after its numbers were taken, and only while no deletion is due: an event that was settled and deleted by
others in the meantime is thus never taken for a new one.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Any

from mosaic_telemetry.engine.store.clickhouse.ddl import EVENT_COLUMNS, EVENT_IDS, EVENTS, INCOMING
from mosaic_telemetry.engine.store.clickhouse.events import Deletions
from mosaic_telemetry.engine.store.clickhouse.link import Link, literal
from mosaic_telemetry.engine.store.clickhouse.slices import Slices, SlicesStore, outside

__all__ = ["Settler"]

_ROWS = 50_000
_BLOCKS = 1000
_IDS = 4000  # so many literals make a statement that ClickHouse takes
_SWEEP_SECONDS = 20.0
_SWEEP_BLOCKS = 200
_FORGET_SECONDS = 86_400
"""After so long nobody who took a range can still be writing it."""

_COLUMNS = ("block", *EVENT_COLUMNS)


class Settler:
    """Makes slices. Safe to use from several threads, and by several processes at once.

    Args:
        link: to ClickHouse.
        slices: what is to be seen.
        deletions: what is to go.
        now: the time, in seconds since 1970.
    """

    def __init__(self, link: Link, slices: SlicesStore, deletions: Deletions, now: Callable[[], float] = time.time) -> None:
        self._link = link
        self._slices = slices
        self._deletions = deletions
        self._now = now
        self._lock = threading.Lock()
        self._done: list[bytes] = []
        self._swept = time.monotonic()

    def settle(self) -> Slices:
        """Settle everything that is visible now; returns what is to be seen then."""
        with self._lock:
            self._sweep()
            if waiting := self._link.rows(f"SELECT max(block) FROM {INCOMING.name} WHERE {self._unsettled()} HAVING count() > 0"):  # noqa: S608 - bytes as hexadecimals
                while self._settle_some(waiting[0][0]):  # and no further: blocks may come faster than they are settled
                    self._sweep()  # before the list of them outgrows a statement
            return self._slices.read() or Slices()

    def close(self) -> None:
        """Delete what was settled out of what came in."""
        with self._lock:
            self._sweep(whole=True)

    def _settle_some(self, last: bytes) -> bool:
        """Make a slice of blocks up to one; False where nothing is there to make one of."""
        blocks, rows = self._waiting(last)
        if not blocks:
            return False
        opened = self._slices.open(rows)
        if opened is None:
            return True
        if self._deletions.due():
            self._slices.change(opened, opened.given_back())
            self._deletions.finish()
            return True
        try:
            fresh = self._fresh(self._read(blocks), opened)
            self._write(fresh, opened)
        except BaseException:
            self._slices.strike(opened)
            raise
        if self._slices.change(opened, opened.committed(len(fresh["event_id"]))):
            self._done += blocks
        return True

    def _unsettled(self) -> str:
        """A condition for blocks that this process did not settle."""
        return f"block NOT IN ({', '.join(map(literal, self._done))})" if self._done else "true"

    def _waiting(self, last: bytes) -> tuple[list[bytes], int]:
        """The oldest blocks that are not settled, in the order in which they were written; and how many rows they have."""
        blocks: list[bytes] = []
        rows = 0
        condition = f"block <= {literal(last)} AND {self._unsettled()}"
        for block, count in self._link.rows(f"SELECT block, count() FROM {INCOMING.name} WHERE {condition} GROUP BY block ORDER BY block LIMIT {_BLOCKS}"):  # noqa: S608 - bytes as hexadecimals
            if blocks and rows + count > _ROWS:
                break
            blocks.append(block)
            rows += count
        return blocks, rows

    def _read(self, blocks: Sequence[bytes]) -> Mapping[str, Sequence[Any]]:
        """The rows of whole blocks by column, in the order in which they were written."""
        wanted = f"block IN ({', '.join(map(literal, blocks))})"
        found = self._link.columns(f"SELECT {', '.join(_COLUMNS)} FROM {INCOMING.name} WHERE {wanted} ORDER BY block, place")  # noqa: S608 - as above
        return dict(zip(_COLUMNS, found, strict=True)) if found else dict.fromkeys(_COLUMNS, ())

    def _fresh(self, columns: Mapping[str, Sequence[Any]], opened: Slices) -> dict[str, list[Any]]:
        """Those events whose ids are not known, each the first time it came, without their blocks."""
        ids = columns["event_id"]
        seen: set[bytes] = set()
        for start in range(0, len(ids), _IDS):
            some = ", ".join(map(literal, ids[start : start + _IDS]))
            query = f"SELECT event_id FROM {EVENT_IDS.name} WHERE event_id IN ({some}){outside(opened.struck)}"  # noqa: S608 - as above
            seen.update(row[0] for row in self._link.rows(query))
        first = []
        for event_id in ids:
            first.append(event_id not in seen)
            seen.add(event_id)
        return {name: list(compress(columns[name], first)) for name in EVENT_COLUMNS}

    def _write(self, fresh: dict[str, list[Any]], opened: Slices) -> None:
        if not fresh["event_id"]:
            return
        columns = {**fresh, "sequence": range(opened.began + 1, opened.began + 1 + len(fresh["event_id"]))}
        token = secrets.token_hex(8)
        for table in (EVENTS, EVENT_IDS):
            self._link.insert(table, columns, f"{table.name} {opened.began} {token}", in_order=True)

    def _sweep(self, *, whole: bool = False) -> None:
        """Now and then, delete settled blocks, and what was written by those who never finished."""
        late = time.monotonic() - self._swept > _SWEEP_SECONDS
        if self._done and (whole or late or len(self._done) >= _SWEEP_BLOCKS):
            self._link.delete(INCOMING, f"block IN ({', '.join(map(literal, self._done))})")
            self._done = []
        if late:
            self._forget()
            self._swept = time.monotonic()

    def _forget(self) -> None:
        """Delete what stands under numbers that were struck out long ago: nobody writes there any more."""
        before = self._slices.read()
        old = [one for one in before.struck if one[2] < self._now() - _FORGET_SECONDS] if before else []
        if before and old:
            for first, last, _ in old:
                for table in (EVENTS, EVENT_IDS):
                    self._link.delete(table, f"sequence > {first} AND sequence <= {last}")
            kept = tuple(one for one in before.struck if one not in old)
            self._slices.change(before, Slices(before.settled, before.given, before.began, kept, before.failed))
