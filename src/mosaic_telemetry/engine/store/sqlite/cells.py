"""Events into cells: the roll-up, and reading a cell.

The table of events is the truth; cells follow it. A watermark names the last event that is counted. The roll-up reads the
events behind it, adds them to their cells and moves the watermark, all in one transaction: a crash at any point leaves
either both or neither, so that no event is missed and none is counted twice. Ingest pays nothing for it but the row.
"""

from __future__ import annotations

import apsw

from mosaic_telemetry.engine.rollup import CountedTask, count
from mosaic_telemetry.engine.store.protocol import StoredCell
from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.forecast import Cell, CellKey
from mosaic_telemetry.schema import Outcome, Provider

__all__ = ["find_cell", "is_behind", "roll_up"]

_CHUNK = 8192
_SEPARATOR = "\x1f"  # no dimension holds it: enum values are plain words, and the model stands between them as a whole

_BEHIND = """
SELECT sequence, received_ms, timestamp_ms, task_type, model, provider, complexity, actual_input_tokens, actual_output_tokens,
       actual_cost_usd_micros, task_duration_ms, estimated_input_tokens, estimated_output_tokens, quality_gate_passed, outcome
FROM events WHERE sequence > (SELECT sequence FROM watermark) ORDER BY sequence LIMIT ?
"""


def is_behind(connection: apsw.Connection) -> bool:
    """Whether there are events that no cell has counted yet."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM events WHERE sequence > (SELECT sequence FROM watermark))").get)


def roll_up(connection: apsw.Connection, texts: Texts) -> int:
    """Count the next events into their cells, within a transaction; returns how many there were, 0 when none is left."""
    tasks: list[CountedTask] = []
    last = 0
    for row in connection.execute(_BEHIND, (_CHUNK,)):
        last, received_ms, timestamp_ms, task_type, model, provider, complexity, *amounts, gate_passed, outcome = row
        provider_text = texts.text(connection, provider)
        tasks.append(
            CountedTask(
                received_ms,
                timestamp_ms,
                texts.text(connection, task_type),
                texts.text(connection, model),
                provider_text,
                texts.text(connection, complexity),
                (*amounts, gate_passed, texts.text(connection, outcome) == Outcome.SUCCESS, provider_text == Provider.OLLAMA),
            )
        )
    if not tasks:
        return 0
    counted = count(tasks)
    numbers = {key: _merge_window(connection, key, update, counted.updated_ms[key]) for key, update in counted.window.items()}
    for (key, day), cell in counted.daily.items():
        _merge_day(connection, numbers[key], day, cell)
    connection.execute("UPDATE watermark SET sequence = ?", (last,))
    return len(tasks)


def find_cell(connection: apsw.Connection, key: CellKey, at_least: int) -> StoredCell | None:
    """The cell of this name, if it has counted so many events."""
    row = connection.execute(
        "SELECT updated_ms, data FROM cells WHERE level = ? AND dimensions = ? AND events >= ?", (key.level, _text(key), at_least)
    ).fetchone()
    return None if row is None else StoredCell(Cell.from_bytes(row[1]), row[0])


def _merge_window(connection: apsw.Connection, key: CellKey, update: Cell, updated_ms: int) -> int:
    row = connection.execute("SELECT number, updated_ms, data FROM cells WHERE level = ? AND dimensions = ?", (key.level, _text(key))).fetchone()
    if row is None:
        number: int = connection.execute(
            "INSERT INTO cells (level, dimensions, events, updated_ms, data) VALUES (?, ?, ?, ?, ?) RETURNING number",
            (key.level, _text(key), update.events, updated_ms, update.to_bytes()),
        ).get
        return number
    number, updated_before, data = row
    cell = Cell.from_bytes(data)
    cell.merge(update)
    connection.execute(
        "UPDATE cells SET events = ?, updated_ms = ?, data = ? WHERE number = ?", (cell.events, max(updated_ms, updated_before), cell.to_bytes(), number)
    )
    return number


def _merge_day(connection: apsw.Connection, number: int, day: int, update: Cell) -> None:
    data = connection.execute("SELECT data FROM daily_cells WHERE cell = ? AND day = ?", (number, day)).get
    cell = update
    if data is not None:
        cell = Cell.from_bytes(data)
        cell.merge(update)
    connection.execute(
        "INSERT INTO daily_cells (cell, day, events, data) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET events = ?3, data = ?4",
        (number, day, cell.events, cell.to_bytes()),
    )


def _text(key: CellKey) -> str:
    return _SEPARATOR.join(key.values)
