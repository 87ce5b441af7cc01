"""Cells, shares, totals and records in their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import apsw

from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.engine.store.values import CellState, Change, RecordKey, Share, ShareKey, StoredCell, TotalKey, Totals
from mosaic_telemetry.forecast import Cell, CellKey

__all__ = ["apply_change", "find_cells", "find_records", "find_shares", "find_totals", "list_cells", "list_shares", "packed", "read_state", "sum_totals"]

_SEPARATOR = "\x1f"  # no dimension holds it: enum values are plain words, and the model stands between them as a whole

_PUT_CELL = """
INSERT INTO cells (level, dimensions, updated_ms, instances, data) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO UPDATE SET updated_ms = ?3, instances = ?4, data = ?5 RETURNING number
"""
_SUMS = ", ".join(f"{name} = {name} + excluded.{name}" for name in Totals._fields)
_ADD_TOTALS = f"""
INSERT INTO daily_totals ({", ".join(TotalKey._fields + Totals._fields)}) VALUES ({", ".join("?" * len(TotalKey._fields + Totals._fields))})
ON CONFLICT DO UPDATE SET {_SUMS}
"""  # noqa: S608 - fixed names
_FIND_TOTALS = f"""
SELECT day, (SELECT text FROM texts WHERE number = task_type), (SELECT text FROM texts WHERE number = model),
       (SELECT text FROM texts WHERE number = provider), (SELECT text FROM texts WHERE number = complexity),
       (SELECT text FROM texts WHERE number = harness), {", ".join(Totals._fields)}
FROM daily_totals WHERE day BETWEEN ? AND ?
"""  # noqa: S608 - fixed names


def read_state(connection: apsw.Connection) -> CellState:
    """Which events the cells hold."""
    version, counted, expired, scored, landmark, profile = connection.execute("SELECT version, counted, expired, scored, landmark, profile FROM cell_state").get
    return CellState(version, counted, expired, scored, landmark, profile)


def find_cells(connection: apsw.Connection, keys: Iterable[CellKey]) -> dict[CellKey, StoredCell]:
    """Those of these cells that there are."""
    found = {}
    for key in keys:
        row = connection.execute("SELECT data, updated_ms, instances FROM cells WHERE level = ? AND dimensions = ?", (key.level, _text(key))).fetchone()
        if row is not None:
            found[key] = StoredCell(Cell.from_bytes(row[0]), *row[1:])
    return found


def find_shares(connection: apsw.Connection, keys: Iterable[ShareKey]) -> dict[ShareKey, Share]:
    """Those of these shares that there are."""
    numbers: dict[CellKey, int | None] = {}
    found = {}
    for key, instance in keys:
        if key not in numbers:
            numbers[key] = connection.execute("SELECT number FROM cells WHERE level = ? AND dimensions = ?", (key.level, _text(key))).get
        row = connection.execute("SELECT events, updated_ms, data FROM shares WHERE cell = ? AND instance = ?", (numbers[key], instance)).fetchone()
        if row is not None:
            found[key, instance] = Share(row[0], row[1], None if row[2] is None else Cell.from_bytes(row[2]))
    return found


def list_cells(connection: apsw.Connection) -> dict[CellKey, StoredCell]:
    """All cells."""
    return {
        _key(level, dimensions): StoredCell(Cell.from_bytes(data), updated_ms, instances)
        for level, dimensions, data, updated_ms, instances in connection.execute("SELECT level, dimensions, data, updated_ms, instances FROM cells")
    }


def list_shares(connection: apsw.Connection) -> dict[ShareKey, Share]:
    """All shares."""
    return {
        (_key(level, dimensions), instance): Share(events, updated_ms, None if data is None else Cell.from_bytes(data))
        for level, dimensions, instance, events, updated_ms, data in connection.execute(
            "SELECT level, dimensions, instance, events, shares.updated_ms, shares.data FROM shares JOIN cells ON number = cell"
        )
    }


def find_records(connection: apsw.Connection) -> dict[RecordKey, bytes]:
    """All records of past forecasts."""
    return {RecordKey(*row[:4]): row[4] for row in connection.execute("SELECT target, level, size, month, data FROM records")}


def find_totals(connection: apsw.Connection, first_day: int, last_day: int) -> dict[TotalKey, Totals]:
    """The daily totals of some days since 1970, both included."""
    width = len(TotalKey._fields)
    return {TotalKey(*row[:width]): Totals(*row[width:]) for row in connection.execute(_FIND_TOTALS, (first_day, last_day))}


def sum_totals(connection: apsw.Connection, days: tuple[int, int], by: Sequence[str], only: Mapping[str, str]) -> dict[tuple[int | str, ...], Totals]:
    """The daily totals of some days, added up by fields of `TotalKey`.

    Raises:
        ValueError: there is no such field.
    """
    places = [TotalKey._fields.index(name) for name in (*by, *only)]  # no other text ever becomes SQL
    if 0 in places[len(by) :]:
        raise ValueError("days are chosen by `days`")
    conditions = "".join(f" AND {name} = (SELECT number FROM texts WHERE text = ?)" for name in only)  # noqa: S608 - checked names
    columns = "".join(f"{name}, " for name in by)
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in Totals._fields)
    query = f"SELECT {columns}{sums} FROM daily_totals WHERE day BETWEEN ? AND ?{conditions}" + (f" GROUP BY {', '.join(by)}" if by else "")  # noqa: S608 - checked names
    texts = Texts()
    found: dict[tuple[int | str, ...], Totals] = {}
    for row in connection.execute(query, (*days, *only.values())):
        name = tuple(number if field == "day" else texts.text(connection, number) for field, number in zip(by, row, strict=False))
        found[name] = Totals(*row[len(by) :])
    return found if by or found[()].events else {}


class Packed(NamedTuple):
    """The cells of a change, and of its shares, in bytes: made before the transaction, for whose end others wait."""

    cells: dict[CellKey, bytes]
    shares: dict[ShareKey, bytes]


def packed(change: Change) -> Packed:
    """What `apply_change` needs besides the change."""
    return Packed(
        {key: stored.cell.to_bytes() for key, stored in change.cells.items() if stored},
        {key: share.cell.to_bytes() for key, share in change.shares.items() if share and share.cell},
    )


def apply_change(connection: apsw.Connection, texts: Texts, change: Change, data: Packed) -> bool:
    """Make a change within a transaction; False, and nothing is done, where another was made since it was computed."""
    connection.execute(
        "UPDATE cell_state SET version = version + 1, counted = ?, expired = ?, scored = ?, landmark = ?, profile = ? WHERE version = ?",
        (change.after.counted, change.after.expired, change.after.scored, change.after.landmark, change.after.profile, change.before),
    )
    if not connection.changes():
        return False
    if change.reset:
        connection.execute("DELETE FROM shares; DELETE FROM cells; DELETE FROM daily_totals")
    numbers = _put_cells(connection, change.cells, data.cells)
    _put_shares(connection, numbers, change.shares, data.shares)
    for key in change.renewed:
        if change.cells[key] is not None:
            connection.execute("UPDATE cells SET updated_ms = (SELECT max(updated_ms) FROM shares WHERE cell = ?1) WHERE number = ?1", (numbers[key],))
    _add_totals(connection, texts, change.totals)
    connection.executemany("INSERT OR REPLACE INTO records (target, level, size, month, data) VALUES (?, ?, ?, ?, ?)", _records(change.records))
    connection.executemany("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", change.settings.items())
    connection.executemany("DELETE FROM events WHERE sequence = ?", ((sequence,) for sequence in change.deleted))
    return True


def _put_cells(connection: apsw.Connection, cells: Mapping[CellKey, StoredCell | None], data: Mapping[CellKey, bytes]) -> dict[CellKey, int]:
    """Write cells; returns the number of each, also of those that went."""
    numbers: dict[CellKey, int] = {}
    for key, stored in cells.items():
        if stored is None:
            numbers[key] = connection.execute("DELETE FROM cells WHERE level = ? AND dimensions = ? RETURNING number", (key.level, _text(key))).get
        else:
            numbers[key] = connection.execute(_PUT_CELL, (key.level, _text(key), stored.updated_ms, stored.instances, data[key])).get
    return numbers


def _put_shares(connection: apsw.Connection, numbers: Mapping[CellKey, int], shares: Mapping[ShareKey, Share | None], data: Mapping[ShareKey, bytes]) -> None:
    there = [(numbers[key], instance, share.events, share.updated_ms, data.get((key, instance))) for (key, instance), share in shares.items() if share]
    gone = [(numbers[key], instance) for (key, instance), share in shares.items() if share is None]
    connection.executemany("INSERT OR REPLACE INTO shares (cell, instance, events, updated_ms, data) VALUES (?, ?, ?, ?, ?)", there)
    connection.executemany("DELETE FROM shares WHERE cell = ? AND instance = ?", gone)


def _add_totals(connection: apsw.Connection, texts: Texts, totals: Mapping[TotalKey, Totals]) -> None:
    fewer = False
    for key, total in totals.items():
        connection.execute(_ADD_TOTALS, (key.day, *[texts.number(connection, text) for text in key[1:]], *total))
        fewer = fewer or total.events < 0
    if fewer:
        connection.execute("DELETE FROM daily_totals WHERE events = 0")


def _records(records: Mapping[RecordKey, bytes]) -> Sequence[tuple[str | int | bytes, ...]]:
    return [(*key, data) for key, data in records.items()]


def _key(level: int, dimensions: str) -> CellKey:
    return CellKey(level, tuple(dimensions.split(_SEPARATOR)) if dimensions else ())


def _text(key: CellKey) -> str:
    return _SEPARATOR.join(key.values)
