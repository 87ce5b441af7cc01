"""Cells, shares, totals and records in their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import apsw

from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.engine.store.values import CellState, RecordKey, Share, ShareKey, StoredCell, TotalKey, Totals
from mosaic_telemetry.forecast import Cell, CellKey

__all__ = ["find_cells", "find_number", "find_records", "find_shares", "find_totals", "list_cells", "list_shares", "read_state", "sum_totals", "text_of"]

_SEPARATOR = "\x1f"  # no dimension holds it: enum values are plain words, and the model stands between them as a whole

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
        row = connection.execute("SELECT data, updated_ms, instances FROM cells WHERE level = ? AND dimensions = ?", (key.level, text_of(key))).fetchone()
        if row is not None:
            found[key] = StoredCell(Cell.from_bytes(row[0]), *row[1:])
    return found


def find_number(connection: apsw.Connection, key: CellKey) -> int | None:
    """The number of a cell, by which its shares name it."""
    return connection.execute("SELECT number FROM cells WHERE level = ? AND dimensions = ?", (key.level, text_of(key))).get  # type: ignore[no-any-return]  # the column is an INTEGER


def find_shares(connection: apsw.Connection, keys: Iterable[ShareKey]) -> dict[ShareKey, Share]:
    """Those of these shares that there are."""
    numbers: dict[CellKey, int | None] = {}
    found = {}
    for key, instance in keys:
        if key not in numbers:
            numbers[key] = find_number(connection, key)
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


def _key(level: int, dimensions: str) -> CellKey:
    return CellKey(level, tuple(dimensions.split(_SEPARATOR)) if dimensions else ())


def text_of(key: CellKey) -> str:
    """How a cell's dimensions stand in its row."""
    return _SEPARATOR.join(key.values)
