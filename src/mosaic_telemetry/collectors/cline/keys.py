"""What identifies turns and calls that have no id of their own: their moments and their tokens, the same in every copy."""

from __future__ import annotations

from collections.abc import Iterable

from mosaic_telemetry.collectors.turns import Turn
from mosaic_telemetry.pricing import TokenUsage

__all__ = ["call_id", "give_keys"]


def call_id(at_ms: int | None, model: str, usage: TokenUsage, number: int) -> str:
    """The identity of a model call; `number` tells apart those of a log that has no times."""
    return f"{at_ms if at_ms is not None else f'#{number}'} {model} {usage.input} {usage.cache_read} {usage.output}"


def give_keys(turns: Iterable[Turn]) -> None:
    """Name each turn by its prompt and its first call."""
    for turn in turns:
        turn.key = f"{turn.started_ms} {next(iter(turn.calls), '')}"
