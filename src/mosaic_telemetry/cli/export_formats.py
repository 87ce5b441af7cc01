"""Events as CSV, JSON Lines and Parquet, written as they come."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import TextIOWrapper
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from mosaic_telemetry.engine.exporting import NAMES
from mosaic_telemetry.schema import TaskCompletionEvent
from mosaic_telemetry.schema.fields import Choices, Flag, Integer, Kind, Number, Optional, Timestamp, kinds_of

if TYPE_CHECKING:
    from arro3.core import Array, DataType, Field, RecordBatch

__all__ = ["STREAMS", "write_file"]

Rows: TypeAlias = Iterable[Sequence[tuple[Any, ...]]]
"""Events, some at a time, each as the values of `NAMES`."""

_TIME = NAMES.index("timestamp")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GROUP = 100_000  # rows of Parquet that are packed together, and held in memory


def write_jsonl(rows: Rows, out: BinaryIO) -> None:
    """One event a line, as the API takes it."""
    import msgspec

    encoder = msgspec.json.Encoder()
    out.writelines(encoder.encode_lines([dict(zip(NAMES, _timed(row), strict=True)) for row in some]) for some in rows)


def write_csv(rows: Rows, out: BinaryIO) -> None:
    """A line of names, then one event a line; truth values and lists as JSON, nothing for null."""
    text = TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(NAMES)
    as_json = [place for place, (_, kind) in enumerate(kinds_of(TaskCompletionEvent)) if isinstance(kind, Choices | Flag)]
    for some in rows:
        writer.writerows(_with_json(_timed(row), as_json) for row in some)
        text.flush()
    text.flush()
    text.detach()


STREAMS: dict[str, Callable[[Rows, BinaryIO], None]] = {"csv": write_csv, "jsonl": write_jsonl}
"""How to write each form that can be read from its beginning."""


def write_file(form: str, rows: Rows, path: Path) -> None:
    """A file of any form."""
    if form == "parquet":
        write_parquet(rows, path)
    else:
        with path.open("wb") as out:
            STREAMS[form](rows, out)


def write_parquet(rows: Rows, path: Path) -> None:
    """A Parquet file, packed with zstd; `timestamp` is one in milliseconds (UTC), gates are lists of texts.

    Raises:
        ModuleNotFoundError: arro3 is not installed.
        OSError: the file cannot be written.
    """
    from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema, list_array
    from arro3.io import write_parquet as write

    def type_of(kind: Kind) -> DataType:
        if isinstance(kind, Choices):
            return DataType.list(Field("item", DataType.string(), nullable=False))
        plain = {Integer: DataType.int64(), Number: DataType.float64(), Flag: DataType.bool(), Timestamp: DataType.timestamp("ms", tz="UTC")}
        return plain.get(type(kind), DataType.string())

    def column(kind: Kind, field: Field, values: Sequence[Any]) -> Array:
        if isinstance(kind, Choices):
            ends = list(accumulate(map(len, values), initial=0))
            return list_array(Array(ends, DataType.int32()), Array(list(chain.from_iterable(values)), DataType.string()), type=field.type)
        if isinstance(kind, Timestamp):
            return Array(values, DataType.int64()).cast(field.type)
        return Array(values, field.type)

    kinds = [kind for _, kind in kinds_of(TaskCompletionEvent)]
    fields = [Field(name, type_of(kind), nullable=isinstance(kind, Optional)) for name, kind in zip(NAMES, kinds, strict=True)]
    schema = Schema(fields)

    def batches() -> Iterator[RecordBatch]:
        for some in rows:
            if some:
                columns = [column(*one) for one in zip(kinds, fields, zip(*some, strict=True), strict=True)]
                yield RecordBatch.from_arrays(columns, schema=schema)

    write(RecordBatchReader.from_batches(schema, batches()), path, compression="zstd(3)", max_row_group_size=_GROUP)


def _timed(row: tuple[Any, ...]) -> list[Any]:
    """A row with its timestamp as the contract's text."""
    values = list(row)
    moment = _EPOCH + timedelta(milliseconds=values[_TIME])
    values[_TIME] = moment.isoformat(timespec="milliseconds")[:23] + "Z"
    return values


def _with_json(values: list[Any], places: Sequence[int]) -> list[Any]:
    for place in places:
        values[place] = _json(values[place])
    return values


@lru_cache(1000)
def _json(value: Any) -> str:
    return json.dumps(value)
