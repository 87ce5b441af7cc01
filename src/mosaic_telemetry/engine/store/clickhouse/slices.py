"""What of the settled events is to be seen: one small value in the other database, changed by compare-and-set.

Numbers are given out before they are used. A slice takes a range of numbers, writes events under them, and is then committed: the
last of them becomes the horizon. Where whoever took a range does not come back, somebody else strikes it out: what was or will yet be
written under its numbers is never seen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias

from mosaic_telemetry.engine.store.accounts import AccountStore

__all__ = ["NAME", "Range", "Slices", "SlicesStore", "outside"]

NAME = "clickhouse slices"
NOBODY = -1
"""`Slices.began`: no range is being written."""

_POLL = 0.05
_PATIENCE = 2.0
_LONGEST_PATIENCE = 64.0

Range: TypeAlias = tuple[int, int, int]
"""Numbers above the first and up to the second; and when they were struck out, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Which numbers of events are to be seen.

    Attributes:
        settled: the last that is to be seen: the horizon.
        given: the last that was ever given out.
        began: the number before the range that is being written, which reaches up to `given`; `NOBODY` where there is none.
        struck: ranges that are never to be seen.
        failed: how many ranges were struck out one after the other.
    """

    settled: int = 0
    given: int = 0
    began: int = NOBODY
    struck: tuple[Range, ...] = ()
    failed: int = 0

    def opened(self, count: int) -> Slices:
        """With the next so many numbers being written."""
        return replace(self, began=self.given, given=self.given + count)

    def committed(self, count: int) -> Slices:
        """With the first so many numbers of the range that was being written to be seen; the others were not used."""
        last = self.began + count
        return replace(self, settled=last if count else self.settled, given=last, began=NOBODY, failed=0)

    def given_back(self) -> Slices:
        """Without the range that was being written, under which nothing was."""
        return replace(self, given=self.began, began=NOBODY)

    def as_setting(self) -> dict[str, str]:
        """As they are kept, by name."""
        return {NAME: _text(self)}

    def struck_out(self, now: int) -> Slices:
        """With the range that was being written never to be seen."""
        return replace(self, began=NOBODY, struck=(*self.struck, (self.began, self.given, now)), failed=self.failed + 1)


class SlicesStore:
    """Reads and changes them.

    Args:
        accounts: the store of the other database.
        sleep: how to wait, in seconds.
        now: the time, in seconds since 1970.
    """

    def __init__(self, accounts: AccountStore, sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.time) -> None:
        self._accounts = accounts
        self._sleep = sleep
        self._now = now

    def read(self) -> Slices | None:
        """As they are; None before the first slice."""
        text = self._accounts.setting(NAME)
        return None if text is None else _parsed(text)

    def make(self) -> Slices:
        """As they are, made where there are none."""
        return _parsed(self._accounts.keep_setting(NAME, _text(Slices())).result())

    def change(self, before: Slices, after: Slices) -> bool:
        """Change them, if they still are what was read."""
        return self._accounts.change_setting(NAME, _text(before), _text(after)).result()

    def open(self, count: int) -> Slices | None:
        """Take a range of numbers, after whoever is writing one has done so; None where somebody else was first or went on meanwhile.

        One who does not finish is waited for, the longer the more often ranges were struck out, so that a slow one finishes at last.
        """
        before = self.make()
        if before.began != NOBODY:
            waited, patience = 0.0, min(_PATIENCE * 2**before.failed, _LONGEST_PATIENCE)
            while waited < patience:
                self._sleep(_POLL)
                waited += _POLL
                if self.read() != before:
                    return None
            self.strike(before)
            return None
        after = before.opened(count)
        return after if self.change(before, after) else None

    def strike(self, before: Slices) -> bool:
        """Strike out the range that is being written."""
        return self.change(before, before.struck_out(int(self._now())))


def outside(struck: tuple[Range, ...], after: int = 0, up_to: int | None = None) -> str:
    """A condition, ` AND …`, for numbers that were not struck out; empty where none of those between two were."""
    ranges = [(first, last) for first, last, _ in struck if last > after and (up_to is None or first < up_to)]
    return "".join(f" AND NOT (sequence > {first} AND sequence <= {last})" for first, last in ranges)


def _text(slices: Slices) -> str:
    return json.dumps(asdict(slices))


def _parsed(text: str) -> Slices:
    values = json.loads(text)
    return Slices(**{**values, "struck": tuple(tuple(one) for one in values["struck"])})
