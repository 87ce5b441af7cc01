"""The ladder: which dimensions an answer may drop, in which order, and what that does to its confidence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from mosaic_telemetry.schema import Complexity, PredictionQuery, Provider, TaskType

__all__ = [
    "DIMENSIONS",
    "ENOUGH",
    "LADDER",
    "NO_DATA",
    "PERIOD_DAYS",
    "RECENT",
    "CellKey",
    "Confidence",
    "confidence",
    "dimensions_matched",
    "fallback_note",
    "keys_of",
    "recent_key",
    "same_model",
]

DIMENSIONS = ("task_type", "model", "provider", "complexity")

LADDER: tuple[tuple[str, ...], ...] = (
    ("task_type", "model", "provider", "complexity"),
    ("task_type", "model", "complexity"),
    ("task_type", "model"),
    ("task_type", "complexity"),
    ("task_type",),
    (),
)
"""The dimensions that each level keeps; level 0 keeps all."""

RECENT = len(LADDER)
"""Beside the ladder: as level 0, of the tasks of one period alone."""

PERIOD_DAYS = 7
"""Days (UTC) of a period; the running one and the one before are what is recent."""

ENOUGH = 5
"""Events from which on a level answers by itself."""

NO_DATA = -1
"""The level of an answer that no level could give."""


class Confidence:
    """The words of the contract for how far an answer is to be trusted."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class CellKey(NamedTuple):
    """Names a cell: a level of the ladder, or `RECENT`, and the text of each dimension that this level keeps, in the ladder's order."""

    level: int
    values: tuple[str, ...]


def same_model(model: str) -> str:
    """The form in which models are compared: trimmed and in lower case."""
    return model.strip().lower()


@lru_cache(maxsize=4096)
def keys_of(task_type: str, model: str, provider: str, complexity: str) -> tuple[CellKey, ...]:
    """The cells that a task with these dimensions belongs to, one for each level of the ladder."""
    values = {"task_type": task_type, "model": same_model(model), "provider": provider, "complexity": complexity}
    return tuple(CellKey(level, tuple([values[name] for name in kept])) for level, kept in enumerate(LADDER))


def recent_key(exact: CellKey, period: int) -> CellKey:
    """The cell of what an exact cell (level 0) holds of one period, counted from 1970 on."""
    return CellKey(RECENT, (*exact.values, str(period)))


def confidence(events: int, level: int) -> str:
    """The contract's word for an answer from `events` events at a level of the ladder."""
    if level == NO_DATA or events == 0:
        return Confidence.NONE
    if level > 0 or events < 30:
        return Confidence.LOW
    return Confidence.MEDIUM if events < 100 else Confidence.HIGH


def dimensions_matched(query: PredictionQuery, level: int) -> Mapping[str, str | None] | None:
    """Each dimension's value, or None where the level drops it; None as a whole where there is no data."""
    if level == NO_DATA:
        return None
    kept = LADDER[level]
    return {name: str(getattr(query, name)) if name in kept else None for name in DIMENSIONS}


def fallback_note(query: PredictionQuery, level: int) -> str | None:
    """What the fallback means, as a sentence for a person; None for an exact match."""
    if level == 0:
        return None
    if level == NO_DATA:
        return f"There is no answer yet: fewer than {ENOUGH} events have been reported in all."
    task, model, size = _words(query.task_type), query.model.strip(), _words(query.complexity)
    about = (
        "",
        f"{task} tasks of {size} complexity with {model} from any provider",
        f"{task} tasks with {model} of any complexity and from any provider",
        f"{task} tasks of {size} complexity with any model",
        f"{task} tasks of any complexity with any model",
        "all tasks of every kind, with any model",
    )[level]
    return f"Fewer than {ENOUGH} events match exactly; these numbers are of {about}."


def _words(value: TaskType | Complexity | Provider) -> str:
    return str(value).replace("_", " ")
