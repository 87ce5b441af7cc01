"""Raw usage objects of model APIs, one JSON object a line, each to a task of its own. The rules: docs/collectors/usage.md."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.base import LogCollector, Unit
from mosaic_telemetry.collectors.outcomes import Ending
from mosaic_telemetry.collectors.reading import Counting, read_records
from mosaic_telemetry.collectors.serving import provider_named
from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.collectors.untrusted import as_mapping, as_milliseconds, as_moment, as_money, as_text
from mosaic_telemetry.collectors.values import ModelCall, Note, Skipped
from mosaic_telemetry.pricing import read_answer
from mosaic_telemetry.schema import Harness

__all__ = ["Usage"]

_SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson")
_TIMES = ("timestamp", "time", "created_at", "created", "createTime")
_IDS = ("id", "responseId", "response_id", "request_id")
_WRAPPERS = ("body", "response", "data", "message")
# Noon of 2020-01-01: before every price, so that the oldest known counts, today and in a year; and at no vendor's nightly discount.
_UNDATED = 1_577_880_000_000
_DAY_MS = 86_400_000.0
# Field to milliseconds in its unit. Ollama counts nanoseconds, Groq seconds.
_DURATIONS = (("duration_ms", 1.0), ("latency_ms", 1.0), ("total_duration", 1e-6), ("total_time", 1e3))
_VENDORS = {"bedrock": "aws", "gemini": "google", "vertex": "google", "vertexai": "google", "xai": "x-ai"}


class Usage(LogCollector):
    """The import of raw API usage objects."""

    name = "usage"
    title = "API usage"
    harness = Harness.API_DIRECT

    def places(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:  # noqa: ARG002 - the Protocol's signature
        """None: nobody keeps such a file at a usual place."""
        return []

    def find(self, place: Path) -> Sequence[Path]:
        """The file itself, or the files of JSON lines in a folder."""
        if place.is_file():
            return [place]
        return sorted(path for path in place.rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())

    def read(self, unit: Unit, counting: Counting) -> Sequence[Turn]:
        """A turn for each answer in a file."""
        return list(_turns(unit[0], counting))


def _turns(path: Path, watcher: Counting) -> Iterator[Turn]:
    repeated: Counter[str] = Counter()
    written = _modified_ms(path)
    for line, record in read_records(path, watcher):
        vendor = as_text(record.get("provider")).strip().lower()
        answer = read_answer(record, model=as_text(record.get("model")).strip(), vendor=_VENDORS.get(vendor, vendor))
        if answer is None:
            watcher.skip(Skipped(path, line, "no usage object of a known API in it"))
            continue
        # One without an id is known by what it says and by how often that was said in its file before.
        name = _first_text(record, _IDS)
        if not name:
            content = hashlib.sha256(json.dumps(record, sort_keys=True).encode("utf-8", "replace")).hexdigest()
            name = f"{content} {repeated[content]}"
            repeated[content] += 1
        model = as_text(answer.model) or "unknown"
        turn = Turn(key=name, session=as_text(record.get("session_id")) or path.name.partition(".")[0], file=path, prompted=f"line {line}")
        moment = _moment(record)
        turn.begin(moment or _UNDATED)
        turn.ended_ms = moment or written
        turn.last, turn.closed = (turn.ended_ms, line, Ending.WORD), True
        turn.measured_ms = _duration_ms(record)
        turn.providers[model] = provider_named(vendor or answer.vendor)
        turn.notes |= {Note.NO_TIME} if moment is None else set()
        turn.notes |= {Note.USAGE_DAMAGED} if answer.damaged else set()
        turn.add_call(
            ModelCall(
                id=name,
                model=model,
                usage=answer.usage,
                at_ms=moment or _UNDATED,
                reported_usd=as_money(answer.reported),
                vendor=answer.vendor,
                details=answer.details,
                record=f"line {line}",
            )
        )
        yield turn


def _layers(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The record, and what it wraps."""
    yield record
    for key in (*_WRAPPERS, "usage", "usageMetadata"):
        inner = as_mapping(record.get(key))
        if inner:
            yield inner
            yield from (found for name in ("usage", "usageMetadata") if (found := as_mapping(inner.get(name))))


def _first_text(record: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((text for layer in _layers(record) for name in names if (text := as_text(layer.get(name)))), "")


def _moment(record: Mapping[str, Any]) -> int | None:
    """When the answer came: ISO 8601, or seconds or milliseconds since 1970."""
    for layer in _layers(record):
        for name in _TIMES:
            value = layer.get(name)
            found = as_moment(value) or as_milliseconds(value) or as_milliseconds(value, 1000)
            if found is not None:
                return found
    return None


def _duration_ms(record: Mapping[str, Any]) -> int | None:
    for layer in _layers(record):
        for name, unit in _DURATIONS:
            value = layer.get(name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value * unit <= _DAY_MS:
                return max(1, round(value * unit))
    return None


def _modified_ms(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return _UNDATED
