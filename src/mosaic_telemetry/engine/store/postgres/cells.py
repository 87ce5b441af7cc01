"""Cells, shares, totals and records in their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from mosaic_telemetry.engine.store.postgres.texts import Texts
from mosaic_telemetry.engine.store.values import CellState, Change, RecordKey, Share, ShareKey, StoredCell, TotalKey, Totals
from mosaic_telemetry.forecast import Cell, CellKey

__all__ = ["apply_change", "find_cells", "find_records", "find_shares", "list_cells", "list_shares", "read_state", "sum_totals"]

_SEPARATOR = "\x1f"  # no dimension holds it: enum values are plain words, and the model stands between them as a whole

_PUT_CELLS = """
INSERT INTO cells (level, dimensions, updated_ms, instances, data) SELECT * FROM unnest($1::int2[], $2::text[], $3::int8[], $4::int4[], $5::bytea[])
ON CONFLICT (level, dimensions) DO UPDATE SET updated_ms = excluded.updated_ms, instances = excluded.instances, data = excluded.data
RETURNING level, dimensions, number
"""
_PUT_SHARES = """
INSERT INTO shares (cell, instance, events, updated_ms, data) SELECT * FROM unnest($1::int4[], $2::int4[], $3::int8[], $4::int8[], $5::bytea[])
ON CONFLICT (cell, instance) DO UPDATE SET events = excluded.events, updated_ms = excluded.updated_ms, data = excluded.data
"""
_FIND_SHARES = """
SELECT asked.level, asked.dimensions, asked.instance, shares.events, shares.updated_ms, shares.data
FROM unnest($1::int2[], $2::text[], $3::int4[]) AS asked (level, dimensions, instance)
JOIN cells USING (level, dimensions) JOIN shares ON shares.cell = cells.number AND shares.instance = asked.instance
"""
_KEYS, _SUMS = TotalKey._fields, Totals._fields
_ADD_TOTALS = f"""
INSERT INTO daily_totals ({", ".join(_KEYS + _SUMS)})
SELECT * FROM unnest({", ".join(f"${place}::int{4 if place <= len(_KEYS) else 8}[]" for place in range(1, len(_KEYS + _SUMS) + 1))})
ON CONFLICT ({", ".join(_KEYS)}) DO UPDATE SET {", ".join(f"{name} = daily_totals.{name} + excluded.{name}" for name in _SUMS)}
"""  # noqa: S608 - fixed names
_PUT_RECORDS = """
INSERT INTO records (target, level, size, month, data) SELECT * FROM unnest($1::text[], $2::int4[], $3::int4[], $4::int4[], $5::bytea[])
ON CONFLICT (target, level, size, month) DO UPDATE SET data = excluded.data
"""


async def read_state(connection: asyncpg.Connection) -> CellState:
    """Which events the cells hold."""
    return CellState(*await connection.fetchrow("SELECT version, counted, expired, scored, landmark, profile FROM cell_state"))


async def find_cells(connection: asyncpg.Connection, keys: Iterable[CellKey]) -> dict[CellKey, StoredCell]:
    """Those of these cells that there are."""
    wanted = {(key.level, _text(key)): key for key in keys}
    rows = await connection.fetch(
        """SELECT level, dimensions, data, updated_ms, instances FROM unnest($1::int2[], $2::text[]) AS asked (level, dimensions)
           JOIN cells USING (level, dimensions)""",
        *_columns(wanted, 2),
    )
    return {wanted[row[0], row[1]]: StoredCell(Cell.from_bytes(row[2]), row[3], row[4]) for row in rows}


async def find_shares(connection: asyncpg.Connection, keys: Iterable[ShareKey]) -> dict[ShareKey, Share]:
    """Those of these shares that there are."""
    wanted = {(key.level, _text(key), instance): (key, instance) for key, instance in keys}
    rows = await connection.fetch(_FIND_SHARES, *_columns(wanted, 3))
    return {wanted[row[0], row[1], row[2]]: _share(*row[3:]) for row in rows}


async def list_cells(connection: asyncpg.Connection) -> dict[CellKey, StoredCell]:
    """All cells."""
    rows = await connection.fetch("SELECT level, dimensions, data, updated_ms, instances FROM cells")
    return {_key(row[0], row[1]): StoredCell(Cell.from_bytes(row[2]), row[3], row[4]) for row in rows}


async def list_shares(connection: asyncpg.Connection) -> dict[ShareKey, Share]:
    """All shares."""
    rows = await connection.fetch(
        "SELECT level, dimensions, instance, events, shares.updated_ms, shares.data FROM shares JOIN cells ON cells.number = shares.cell"
    )
    return {(_key(row[0], row[1]), row[2]): _share(*row[3:]) for row in rows}


async def find_records(connection: asyncpg.Connection) -> dict[RecordKey, bytes]:
    """All records of past forecasts."""
    return {RecordKey(*row[:4]): row[4] for row in await connection.fetch("SELECT target, level, size, month, data FROM records")}


async def sum_totals(
    connection: asyncpg.Connection, texts: Texts, days: tuple[int, int], by: Sequence[str], only: Mapping[str, str]
) -> dict[tuple[int | str, ...], Totals]:
    """The daily totals of some days, added up by fields of `TotalKey`.

    Raises:
        ValueError: there is no such field.
    """
    places = [_KEYS.index(name) for name in (*by, *only)]  # no other text ever becomes SQL
    if 0 in places[len(by) :]:
        raise ValueError("days are chosen by `days`")
    conditions = "".join(f" AND {name} = (SELECT number FROM texts WHERE text = ${place})" for place, name in enumerate(only, 3))  # noqa: S608 - checked names
    columns = "".join(f"{name}, " for name in by)
    sums = ", ".join(f"coalesce(sum({name}), 0)::int8" for name in _SUMS)
    grouped = f" GROUP BY {', '.join(by)}" if by else ""
    rows = await connection.fetch(f"SELECT {columns}{sums} FROM daily_totals WHERE day BETWEEN $1 AND $2{conditions}{grouped}", *days, *only.values())  # noqa: S608 - as above
    named = await texts.texts(connection, {number for row in rows for field, number in zip(by, row, strict=False) if field != "day"})
    found = {tuple(number if field == "day" else named[number] for field, number in zip(by, row, strict=False)): Totals(*row[len(by) :]) for row in rows}
    return found if by or found[()].events else {}


async def apply_change(connection: asyncpg.Connection, texts: Texts, change: Change) -> bool:
    """Make a change; False, and nothing is done, where another was made since it was computed."""
    numbers = await texts.numbers(connection, {text for key in change.totals for text in key[1:]})
    async with connection.transaction():
        after = change.after
        done = await connection.execute(
            "UPDATE cell_state SET version = version + 1, counted = $1, expired = $2, scored = $3, landmark = $4, profile = $5 WHERE version = $6",
            *(after.counted, after.expired, after.scored, after.landmark, after.profile, change.before),
        )
        if done == "UPDATE 0":
            return False
        if change.reset:
            await connection.execute("DELETE FROM shares; DELETE FROM cells; DELETE FROM daily_totals")
        cells = await _put_cells(connection, change.cells)
        await _put_shares(connection, cells, change.shares)
        renewed = [cells[key] for key in change.renewed if change.cells[key] is not None]
        if renewed:
            await connection.execute(
                "UPDATE cells SET updated_ms = (SELECT max(updated_ms) FROM shares WHERE cell = cells.number) WHERE number = ANY($1)", renewed
            )
        await _add_totals(connection, numbers, change.totals)
        if change.records:
            await connection.execute(_PUT_RECORDS, *_columns([(*key, data) for key, data in change.records.items()], 5))
        for name, value in change.settings.items():
            await connection.execute("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
        if change.deleted:
            await connection.execute(
                """WITH gone AS (DELETE FROM events WHERE sequence = ANY($1) RETURNING event_id)
                   DELETE FROM event_ids WHERE event_id IN (SELECT event_id FROM gone)""",
                list(change.deleted),
            )
    return True


async def _put_cells(connection: asyncpg.Connection, cells: Mapping[CellKey, StoredCell | None]) -> dict[CellKey, int]:
    """Write cells; returns the number of each, also of those that went."""
    keys = {(key.level, _text(key)): key for key in cells}
    there = [(*place, cell.updated_ms, cell.instances, cell.cell.to_bytes()) for place, key in keys.items() if (cell := cells[key])]
    gone = [place for place, key in keys.items() if cells[key] is None]
    rows = []
    if there:
        rows += await connection.fetch(_PUT_CELLS, *_columns(there, 5))
    if gone:
        rows += await connection.fetch(
            """DELETE FROM cells USING unnest($1::int2[], $2::text[]) AS gone (level, dimensions)
               WHERE cells.level = gone.level AND cells.dimensions = gone.dimensions RETURNING cells.level, cells.dimensions, cells.number""",
            *_columns(gone, 2),
        )
    return {keys[row[0], row[1]]: row[2] for row in rows}


async def _put_shares(connection: asyncpg.Connection, numbers: Mapping[CellKey, int], shares: Mapping[ShareKey, Share | None]) -> None:
    there = [
        (numbers[key], instance, share.events, share.updated_ms, None if share.cell is None else share.cell.to_bytes())
        for (key, instance), share in shares.items()
        if share
    ]
    gone = [(numbers[key], instance) for (key, instance), share in shares.items() if share is None]
    if there:
        await connection.execute(_PUT_SHARES, *_columns(there, 5))
    if gone:
        await connection.execute(
            "DELETE FROM shares WHERE (cell, instance) IN (SELECT * FROM unnest($1::int4[], $2::int4[]))",
            *_columns(gone, 2),
        )


async def _add_totals(connection: asyncpg.Connection, numbers: Mapping[str, int], totals: Mapping[TotalKey, Totals]) -> None:
    if not totals:
        return
    rows = [(key.day, *[numbers[text] for text in key[1:]], *total) for key, total in totals.items()]
    await connection.execute(_ADD_TOTALS, *_columns(rows, len(_KEYS) + len(_SUMS)))
    if any(total.events < 0 for total in totals.values()):
        await connection.execute("DELETE FROM daily_totals WHERE events = 0")


def _columns(rows: Iterable[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as columns; so many empty ones where there is no row."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _share(events: int, updated_ms: int, data: bytes | None) -> Share:
    return Share(events, updated_ms, None if data is None else Cell.from_bytes(data))


def _key(level: int, dimensions: str) -> CellKey:
    return CellKey(level, tuple(dimensions.split(_SEPARATOR)) if dimensions else ())


def _text(key: CellKey) -> str:
    return _SEPARATOR.join(key.values)
