"""Ways in which a file can be damaged, and what must hold whatever the damage."""

import json
import random
from typing import Any

from mosaic_telemetry.collectors import Collection, to_event
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from support.transcripts import INSTANCE

ODD: list[Any] = [None, True, -1, 10**30, 1e308, float("nan"), "x", "\ud800", "", [], [1, [2]], {}, {"a": 1}, 0.5, "2026-13-45T99:99:99Z", 1e12, 4e12]


def bend(value: Any, rng: random.Random) -> Any:
    """A JSON value in which some field at some depth has another type."""
    whole = value = json.loads(json.dumps(value))
    for _ in range(12):
        if isinstance(value, dict) and value:
            key: Any = rng.choice(sorted(value))
        elif isinstance(value, list) and value:
            key = rng.randrange(len(value))
        else:
            break
        if not isinstance(value[key], (dict, list)) or rng.random() < 0.2:
            value[key] = rng.choice(ODD)
            break
        value = value[key]
    return whole


def spoil(data: bytes, rng: random.Random) -> bytes:
    """The file cut off, or with bytes changed, lost or doubled."""
    kind = rng.randrange(4)
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.randrange(2000))
    if kind == 0:
        return data[:start]
    if kind == 1:
        return bytes(byte ^ (1 << rng.randrange(8)) if rng.random() < 0.001 else byte for byte in data)
    return data[:start] + data[end:] if kind == 2 else data[:end] + data[start:]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with one kind of damage: cut, flipped, doubled, lost, in another order, or with other types in its fields."""
    kind = rng.randrange(8)
    if kind < 3:
        return spoil(data, rng)
    lines = data.split(b"\n")
    where = rng.randrange(len(lines))
    if kind == 3:
        lines.insert(where, rng.choice(lines))
    elif kind == 4:
        rng.shuffle(lines)
    elif kind == 5:
        del lines[where]
    else:
        for _ in range(rng.randrange(1, 6)):
            where = rng.randrange(len(lines))
            try:
                lines[where] = json.dumps(bend(json.loads(lines[where]), rng)).encode()
            except (ValueError, RecursionError):
                continue
    return b"\n".join(lines)


def check_sane(collection: Collection) -> None:
    """No number is negative or absurd, and each task is an event."""
    for task in collection.tasks:
        from_dict(TaskCompletionEvent, vars(to_event(task, INSTANCE).event))
        assert task.ended_ms >= 0
        assert 0 <= task.active_ms < 400 * 86_400_000
    for totals in collection.totals.values():
        for usage in (totals.recorded, totals.partial):
            assert min(usage.uncached_input, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.output) >= 0
    assert collection.running >= 0
