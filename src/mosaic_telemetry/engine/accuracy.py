"""How good past forecasts were, from the record that scoring keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mosaic_telemetry.engine.store import RecordKey, Store
from mosaic_telemetry.forecast import CLASSES, TARGETS, Record, Score

__all__ = ["accuracy_as_json", "read_records"]


def read_records(store: Store) -> dict[RecordKey, Record]:
    """All records of past forecasts.

    Raises:
        DatabaseError: the store cannot be read.
    """
    return {key: Record.from_bytes(data) for key, data in store.find_records().items()}


def accuracy_as_json(records: Mapping[RecordKey, Record]) -> dict[str, Any]:
    """The scores as JSON values: of each target over all, and by level, sample size and month, each by itself and all together."""
    return {
        "promised_coverage": 0.8,
        "targets": {target: _of_target({key: record for key, record in records.items() if key.target == target}) for target in TARGETS},
        "records": [
            {"target": key.target, "level": key.level, "sample_size": CLASSES[key.size], "month": _month(key.month), **record.score.to_dict()}
            for key, record in sorted(records.items())
        ],
    }


def _of_target(records: Mapping[RecordKey, Record]) -> dict[str, Any]:
    groups: dict[str, dict[str, Score]] = {"level": {}, "sample_size": {}, "month": {}}
    whole = Score()
    for key, record in sorted(records.items(), key=lambda item: (item[0].size, item[0])):
        whole.merge(record.score)
        for group, name in (("level", str(key.level)), ("sample_size", CLASSES[key.size]), ("month", _month(key.month))):
            groups[group].setdefault(name, Score()).merge(record.score)
    return {**whole.to_dict(), **{f"by_{group}": {name: score.to_dict() for name, score in found.items()} for group, found in groups.items()}}


def _month(number: int) -> str:
    return f"{1970 + number // 12}-{number % 12 + 1:02}"
