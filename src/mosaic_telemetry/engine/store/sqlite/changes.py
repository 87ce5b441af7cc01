"""Changes of cells, shares, totals and records, made within one transaction that is as short as can be: all who write wait for its end.

What can be found out or made ready before it is: bytes, and where each cell's row is. Rows are then written by their numbers, many a statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import apsw

from mosaic_telemetry.engine.store.sqlite.cells import find_number, text_of
from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.engine.store.values import Change, RecordKey, Share, ShareKey, TotalKey, Totals
from mosaic_telemetry.forecast import CellKey

__all__ = ["CellNumbers", "Prepared", "apply_change", "prepared"]

_REMEMBERED = 20_000
_AT_ONCE = 100
_ADD_CELL = "INSERT INTO cells (level, dimensions, updated_ms, instances, data) VALUES (?, ?, ?, ?, ?) RETURNING number"
_CHANGE_CELL = "UPDATE cells SET updated_ms = ?, instances = ?, data = ? WHERE number = ?"
_RENEW_CELL = "UPDATE cells SET updated_ms = (SELECT max(updated_ms) FROM shares WHERE cell = ?1) WHERE number = ?1"
_SHARE = ("cell", "instance", "events", "updated_ms", "data")
_PUT_SHARES = (
    f"INSERT INTO shares ({', '.join(_SHARE)}) VALUES ",  # noqa: S608 - fixed names
    len(_SHARE),
    " ON CONFLICT DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _SHARE[2:]),
)
_TOTAL = TotalKey._fields + Totals._fields
_ADD_TOTALS = (
    f"INSERT INTO daily_totals ({', '.join(_TOTAL)}) VALUES ",  # noqa: S608 - fixed names
    len(_TOTAL),
    " ON CONFLICT DO UPDATE SET " + ", ".join(f"{name} = {name} + excluded.{name}" for name in Totals._fields),
)


class CellNumbers:
    """The numbers of cells, remembered as long as nobody else changes cells.

    What a transaction changes counts as known only when it is committed: the writer calls `settle` after each.
    """

    def __init__(self) -> None:
        self._known: tuple[int, dict[CellKey, int]] = (-1, {})
        self._made: tuple[int, dict[CellKey, int]] | None = None

    def of(self, connection: apsw.Connection, version: int, keys: Iterable[CellKey]) -> dict[CellKey, int]:
        """The numbers of those of these cells that there were at a version of the cells, if they still have it; else they mean nothing."""
        at, known = self._known
        if at != version:
            known = {}
        numbers = {}
        for key in keys:
            number = known.get(key) or find_number(connection, key)
            if number is not None:
                numbers[key] = number
        return numbers

    def keep(self, before: int, numbers: Mapping[CellKey, int], *, anew: bool) -> None:
        """Within a transaction that changes cells of a version: the numbers of those that it wrote."""
        at, known = self._known
        if at != before or anew or len(known) > _REMEMBERED:
            known = {}
        self._made = (before + 1, {**known, **numbers})

    def settle(self, *, committed: bool) -> None:
        """Take over what the last transaction made, or forget it, since it then is not so."""
        if committed and self._made:
            self._known = self._made
        self._made = None


class Prepared(NamedTuple):
    """What `apply_change` needs besides the change.

    Attributes:
        numbers: of the cells that there are.
        cells: their bytes.
        shares: the bytes of the shares that have any.
    """

    numbers: dict[CellKey, int]
    cells: dict[CellKey, bytes]
    shares: dict[ShareKey, bytes]


def prepared(connection: apsw.Connection, known: CellNumbers, change: Change) -> Prepared:
    """Make a change ready, outside a transaction."""
    return Prepared(
        {} if change.reset else known.of(connection, change.before, change.cells),
        {key: stored.cell.to_bytes() for key, stored in change.cells.items() if stored},
        {key: share.cell.to_bytes() for key, share in change.shares.items() if share and share.cell},
    )


def apply_change(connection: apsw.Connection, texts: Texts, known: CellNumbers, change: Change, ready: Prepared) -> bool:
    """Make a change within a transaction; False, and nothing is done, where another was made since it was computed."""
    connection.execute(
        "UPDATE cell_state SET version = version + 1, counted = ?, expired = ?, scored = ?, landmark = ?, profile = ? WHERE version = ?",
        (change.after.counted, change.after.expired, change.after.scored, change.after.landmark, change.after.profile, change.before),
    )
    if not connection.changes():
        return False
    if change.reset:
        connection.execute("DELETE FROM shares; DELETE FROM cells; DELETE FROM daily_totals")
    # Cells change with their version alone, so that those found before the transaction still have the numbers that they had.
    numbers = _put_cells(connection, change, ready)
    _put_shares(connection, numbers, change.shares, ready.shares)
    connection.executemany(_RENEW_CELL, [(numbers[key],) for key in change.renewed if change.cells[key] is not None])
    _add_totals(connection, texts, change.totals)
    connection.executemany("INSERT OR REPLACE INTO records (target, level, size, month, data) VALUES (?, ?, ?, ?, ?)", _records(change.records))
    connection.executemany("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", change.settings.items())
    connection.executemany("DELETE FROM events WHERE sequence = ?", ((sequence,) for sequence in change.deleted))
    known.keep(change.before, {key: numbers[key] for key, stored in change.cells.items() if stored}, anew=change.reset or None in change.cells.values())
    return True


def _put_cells(connection: apsw.Connection, change: Change, ready: Prepared) -> dict[CellKey, int]:
    """Write cells; returns the number of each, also of those that went."""
    numbers = dict(ready.numbers)
    changed, gone = [], []
    for key, stored in change.cells.items():
        number = numbers.get(key)
        if stored is None:
            gone.append((number,))
        elif number is None:
            row = (key.level, text_of(key), stored.updated_ms, stored.instances, ready.cells[key])
            numbers[key] = connection.execute(_ADD_CELL, row).get
        else:
            changed.append((stored.updated_ms, stored.instances, ready.cells[key], number))
    connection.executemany(_CHANGE_CELL, changed)
    connection.executemany("DELETE FROM cells WHERE number = ?", gone)
    return numbers


def _put_shares(connection: apsw.Connection, numbers: Mapping[CellKey, int], shares: Mapping[ShareKey, Share | None], data: Mapping[ShareKey, bytes]) -> None:
    there = [(numbers[key], instance, share.events, share.updated_ms, data.get((key, instance))) for (key, instance), share in shares.items() if share]
    gone = [(numbers[key], instance) for (key, instance), share in shares.items() if share is None]
    _put(connection, _PUT_SHARES, there)
    connection.executemany("DELETE FROM shares WHERE cell = ? AND instance = ?", gone)


def _add_totals(connection: apsw.Connection, texts: Texts, totals: Mapping[TotalKey, Totals]) -> None:
    _put(connection, _ADD_TOTALS, [(key.day, *[texts.number(connection, text) for text in key[1:]], *total) for key, total in totals.items()])
    if any(total.events < 0 for total in totals.values()):
        connection.execute("DELETE FROM daily_totals WHERE events = 0")


def _put(connection: apsw.Connection, statement: tuple[str, int, str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows, many a statement: half of the time that it takes one by one, and other threads may run meanwhile."""
    head, columns, tail = statement
    row = f"({', '.join('?' * columns)})"
    whole = len(rows) - len(rows) % _AT_ONCE
    for start in range(0, whole, _AT_ONCE):
        connection.execute(f"{head}{', '.join([row] * _AT_ONCE)}{tail}", tuple(chain.from_iterable(rows[start : start + _AT_ONCE])))
    connection.executemany(f"{head}{row}{tail}", rows[whole:])


def _records(records: Mapping[RecordKey, bytes]) -> Sequence[tuple[str | int | bytes, ...]]:
    return [(*key, data) for key, data in records.items()]
