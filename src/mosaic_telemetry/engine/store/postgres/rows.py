"""Events as PostgreSQL copies them in: the binary format of its COPY.

The format stands in PostgreSQL's manual, under COPY, "Binary Format": a signature, then for each row the number of its fields and for each
field its length and its bytes, with a length of -1 for null, then a field count of -1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import chain, repeat, starmap
from typing import Any

from mosaic_telemetry.engine.store.columns import GATES, PLAIN, TEXTS
from mosaic_telemetry.engine.store.postgres.narrowing import CLOSED, TINY

__all__ = ["COLUMNS", "Layout"]

_FIXED = ("event_id", "instance", "received_ms", "timestamp_ms", "standing", *PLAIN)
COLUMNS = (*_FIXED, *TEXTS, *GATES)
"""The columns of an event, in the order in which `Layout.encode` takes its values."""

_CODES = {"event_id": "16s", "received_ms": "q", "timestamp_ms": "q", "standing": "h", "quality_gate_passed": "?", "context_utilization_final": "d"}
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = struct.pack(">h", -1)
_NULL = struct.pack(">i", -1)


class Layout:
    """How wide the columns of words are, and so the bytes of a row.

    Args:
        narrow: whether columns of words hold a `smallint`; else an `integer`.
    """

    def __init__(self, *, narrow: bool) -> None:
        codes = {**dict.fromkeys(TINY, "B"), **(dict.fromkeys(CLOSED, "h") if narrow else {}), **_CODES}
        fixed = [codes.get(name, "i") for name in _FIXED]
        self._row = struct.Struct(">h" + "".join("i" + code for code in fixed))
        self._lengths = [struct.calcsize(f">{code}") for code in fixed]
        self._words = [struct.Struct(f">i{codes.get(name, 'i')}") for name in (*TEXTS, *GATES)]

    def encode(self, rows: Iterable[Sequence[Any]]) -> bytes:
        """The body of a COPY.

        Args:
            rows: of each event the values of `COLUMNS`; texts by number.

        Raises:
            struct.error: a number is too high for its column.
        """
        columns = list(zip(*rows, strict=True))
        fixed, words = columns[: len(_FIXED)], columns[len(_FIXED) :]
        heads = starmap(self._row.pack, zip(repeat(len(COLUMNS)), *chain.from_iterable(zip(map(repeat, self._lengths), fixed, strict=True)), strict=False))
        ends = [map(_fields(kind, column).__getitem__, column) for kind, column in zip(self._words, words, strict=True)]
        return b"".join((_SIGNATURE, *chain.from_iterable(zip(heads, *ends, strict=True)), _END))


def _fields(kind: struct.Struct, numbers: Iterable[int | None]) -> dict[int | None, bytes]:
    """The field of each number: few, each of them in many rows."""
    return {number: _NULL if number is None else kind.pack(kind.size - 4, number) for number in set(numbers)}
