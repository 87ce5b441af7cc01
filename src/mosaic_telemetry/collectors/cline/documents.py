"""JSON files that are written anew as a whole, again and again, so that one may be caught half-written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.reading import LONGEST_DOCUMENT, Counting
from mosaic_telemetry.collectors.values import Skipped

__all__ = ["read_beside", "read_list"]

_ELEMENT = re.compile(r'\{\s*"(?:ts|id|role|type)"\s*:')
_DECODER = json.JSONDecoder()


def read_list(path: Path, counting: Counting, member: str = "") -> list[tuple[int, Mapping[str, Any]]]:
    """(place from 1, object) of each element of the list that a file is, or that is its member of that name.

    What a damaged file still holds of it is found, and what is lost is reported. Never raises for what the file holds.
    """
    text = _read(path, counting)
    if text is None:
        return []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        counting.skip(Skipped(path, 0, f"damaged or half-written: {_reason(error)}"))
        return list(enumerate(_salvage(text.decode("utf-8", "replace"), member), 1))
    if member and isinstance(value, dict):
        value = value.get(member)
    if not isinstance(value, list):
        counting.skip(Skipped(path, 0, f"holds no list of messages but {type(value).__name__}"))
        return []
    return [(number, element) for number, element in enumerate(value, 1) if isinstance(element, dict)]


def read_beside(path: Path, counting: Counting) -> Mapping[str, Any]:
    """The object that a file is; empty, and reported where there is a file, if it is none."""
    if not path.is_file():
        return {}
    text = _read(path, counting)
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        counting.skip(Skipped(path, 0, f"damaged or half-written: {_reason(error)}"))
        return {}
    return value if isinstance(value, dict) else {}


def _read(path: Path, counting: Counting) -> bytes | None:
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_DOCUMENT)
    except OSError as error:
        counting.skip(Skipped(path, 0, f"cannot be read: {error.strerror or error}"))
        return None
    counting.advance(len(text))
    if len(text) < LONGEST_DOCUMENT:
        return text
    counting.skip(Skipped(path, 0, f"larger than {LONGEST_DOCUMENT // 1024**2} MiB"))
    return None


def _salvage(text: str, member: str) -> Iterator[Mapping[str, Any]]:
    """The whole elements of a list in damaged JSON."""
    at = max(text.find(f'"{member}"'), 0) if member else 0
    while (found := _ELEMENT.search(text, at)) is not None:
        try:
            value, at = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            at = found.start() + 1
            continue
        if isinstance(value, dict):
            yield value


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
