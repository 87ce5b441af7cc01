"""Tables of finished tasks from files, for `backtest`: JSON Lines or CSV, gzipped or not."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from mosaic_telemetry.forecast import TARGETS
from mosaic_telemetry.forecast.backtest import Task
from mosaic_telemetry.schema import PredictionQuery, Provider, ValidationError, from_dict

__all__ = ["TableError", "TableFile", "read_table"]

_GZIP = b"\x1f\x8b"
_LARGEST = 1e15
_TOLD = 1000  # lines after which it is told how far the file is read
_NAMED = 5  # bad rows that are named one by one


class TableError(Exception):
    """A file that cannot be read as a table; the text says why."""


@dataclass(slots=True)
class TableFile:
    """What a file holds.

    Attributes:
        name: the file's name without its endings.
        tasks: its usable rows.
        bad: how many rows were left out.
        reasons: what was wrong with the first of them, each with its line.
    """

    name: str
    tasks: list[Task] = field(default_factory=list)
    bad: int = 0
    reasons: list[str] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Leave a row out."""
        self.bad += 1
        if len(self.reasons) < _NAMED:
            self.reasons.append(f"line {line}: {reason}")


def read_table(path: Path, source: int = 0, *, progress: Callable[[int, int], object] = lambda _done, _size: None) -> TableFile:
    """The tasks in a file. A bad row is left out, counted and named; its neighbours stay.

    Args:
        path: JSON Lines if its first character is an opening brace, else CSV with a line of names; gzipped or not, whatever its name.
        source: written into every task.
        progress: called now and then with the bytes that were read, and those that there are.

    Raises:
        TableError: the file cannot be read, or holds no usable row.
    """
    table = TableFile(path.name.split(".", 1)[0])
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            zipped = file.read(2) == _GZIP
            file.seek(0)
            unzipped = gzip.GzipFile(fileobj=file) if zipped else file
            text = TextIOWrapper(unzipped, encoding="utf-8-sig", errors="replace", newline="")
            for line, row in _rows(text, table):
                if line % _TOLD == 0:
                    progress(file.tell(), size)
                try:
                    table.tasks.append(_task(row, source))
                except ValueError as error:
                    table.reject(line, str(error))
    except (OSError, EOFError, gzip.BadGzipFile, csv.Error) as error:
        if not table.tasks:
            raise TableError(f"cannot read {path}: {error}") from error
        table.reject(0, f"the file breaks off: {error}")
    if not table.tasks:
        raise TableError(f"{path} holds no usable row; {table.reasons[0] if table.reasons else 'it is empty'}")
    return table


def _rows(text: TextIOWrapper, table: TableFile) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each row and its line."""
    first = text.read(1)
    text.seek(0)
    if first != "{":
        reader = csv.DictReader(text)
        for row in reader:
            yield reader.line_num, row
        return
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            table.reject(number, f"not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            table.reject(number, "not a JSON object")


def _task(row: Mapping[str, Any], source: int) -> Task:
    """A row as a task; ValueError says what is wrong with it."""
    try:
        query = from_dict(PredictionQuery, {name: row.get(name) for name in ("task_type", "model", "provider", "complexity")})
    except ValidationError as error:
        raise ValueError("; ".join(map(str, error.errors))) from error
    amounts = {target: amount for target in TARGETS if (amount := _amount(row, target)) is not None}
    if amounts.get("actual_cost_usd_micros") == 0 and query.provider != Provider.OLLAMA:
        del amounts["actual_cost_usd_micros"]  # a cost of 0 is one that is not known
    if not amounts:
        raise ValueError(f"nothing to forecast: none of {', '.join(TARGETS)} is known")
    group = row.get("group")
    return Task(
        task_type=query.task_type,
        model=query.model,
        provider=query.provider,
        complexity=query.complexity,
        amounts=amounts,
        group=None if group is None or group == "" else str(group),
        time=_time(row.get("timestamp")),
        source=source,
    )


def _amount(row: Mapping[str, Any], target: str) -> float | None:
    value = row.get(target)
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"{target}: {value!r} is no number from 0 to {_LARGEST:g}")
    return number


def _time(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"timestamp: {value!r} is no ISO 8601 time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
