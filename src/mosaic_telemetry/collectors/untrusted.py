"""Values out of somebody else's file: any field may hold any type.

Laws: nothing here raises; a number is never negative, never absurd, never NaN; text can always be encoded.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

__all__ = ["MAX_CALL_TOKENS", "as_count", "as_list", "as_mapping", "as_milliseconds", "as_moment", "as_money", "as_name", "as_text", "is_count"]

MAX_CALL_TOKENS = 100_000_000
"""No single model call reads or writes more tokens than this in one class; a larger figure is damage."""

_EARLIEST = 1_577_836_800_000  # 2020: no harness is older
_LATEST = 4_102_444_800_000  # 2100
_MOST_MONEY = 100_000  # US dollars; no task is dearer


def is_count(value: Any, most: int = MAX_CALL_TOKENS) -> bool:
    """Whether `value` is a whole number from 0 to `most`; null counts as 0, a bool does not."""
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value <= most and (isinstance(value, int) or value.is_integer())


def as_count(value: Any, most: int = MAX_CALL_TOKENS) -> int:
    """`value` as a whole number from 0 to `most`; 0 for anything else."""
    return int(value) if value is not None and is_count(value, most) else 0


def as_mapping(value: Any) -> Mapping[str, Any]:
    """`value` where it is an object; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> Sequence[Any]:
    """`value` where it is a list; else an empty one."""
    return value if isinstance(value, list) else ()


def as_text(value: Any) -> str:
    """`value` where it is text, without lone surrogates and NUL; else an empty text."""
    if not isinstance(value, str):
        return ""
    text: str = value if value.isascii() else value.encode("utf-8", "replace").decode()
    return text.replace("\0", "") if "\0" in text else text


def as_name(value: Any) -> str:
    """As `as_text`, for what many records repeat: a model, a version, a folder. All that are equal are one text in memory."""
    return sys.intern(as_text(value))


def as_moment(value: Any) -> int | None:
    """Milliseconds since 1970 from ISO 8601 text (no zone: UTC) of the years 2020 to 2099; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(seconds):
        return None
    milliseconds = round(seconds * 1000)
    return milliseconds if _EARLIEST <= milliseconds < _LATEST else None


def as_milliseconds(value: Any, unit_ms: int = 1) -> int | None:
    """Milliseconds since 1970 from a number of units of `unit_ms` since 1970, of the years 2020 to 2099; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _EARLIEST / unit_ms <= value < _LATEST / unit_ms:
        return None
    return round(value * unit_ms)


def as_money(value: Any) -> Decimal | None:
    """US dollars above 0, up to 100,000; None for anything else, since harnesses write 0 where they do not know."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MOST_MONEY:
        return None
    return Decimal(repr(value))
