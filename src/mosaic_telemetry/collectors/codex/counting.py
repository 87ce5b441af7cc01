"""Codex's token counts: running totals of a thread, said several times over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mosaic_telemetry.collectors.untrusted import as_count, is_count
from mosaic_telemetry.pricing import TokenUsage

__all__ = ["Meter", "read_counts"]

_FIELDS = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens")
_MOST = 100_000_000_000  # tokens in a thread

Counts = tuple[int, int, int, int]
_NONE: Counts = (0, 0, 0, 0)


def read_counts(value: Mapping[str, Any]) -> Counts | None:
    """Input with cache, cache reads, cache writes and output with reasoning; None where a count is damaged.

    Codex writes the sum of input and output beside them, which tells a damaged count from a true one.
    """
    if not value or not all(is_count(value.get(name), _MOST) for name in (*_FIELDS, "total_tokens")):
        return None
    counts = (
        as_count(value.get("input_tokens"), _MOST),
        as_count(value.get("cached_input_tokens"), _MOST),
        as_count(value.get("cache_write_input_tokens"), _MOST),
        as_count(value.get("output_tokens"), _MOST),
    )
    said = value.get("total_tokens")
    # An input of nothing beside a total is how Codex notes that the window was full.
    if said is not None and as_count(said, _MOST) != counts[0] + counts[3] and (counts[0] or counts[3]):
        return None
    return counts if counts[1] + counts[2] <= counts[0] else None


class Meter:
    """Turns the running totals of one thread into single calls: each total counts only by what it adds to the one before.

    Args:
        inherited: whether the thread began as a fork of another, whose total it carries on.
    """

    def __init__(self) -> None:
        self.inherited = False
        self._total: Counts | None = None

    @property
    def total(self) -> Counts:
        """The running total so far."""
        return self._total or _NONE

    def calls(self, total: Counts, last: Counts | None) -> list[TokenUsage]:
        """The calls behind a new running total; none where it repeats the one before.

        Args:
            total: the running total.
            last: the newest call by itself, where the log tells it.
        """
        before = self._total
        self._total = total
        if before is None:
            before = _NONE if not (self.inherited and last) else _minus(total, last) or _NONE
        added = _minus(total, before)
        if added is None:  # the thread began anew
            added = last or total
        rest = _minus(added, last) if last else None
        if last is None or rest is None:
            return [_usage(added)] if any(added) else []
        return [_usage(counts) for counts in (rest, last) if any(counts)] if any(added) else []


def _minus(one: Counts, other: Counts) -> Counts | None:
    difference = (one[0] - other[0], one[1] - other[1], one[2] - other[2], one[3] - other[3])
    return difference if min(difference) >= 0 and difference[1] + difference[2] <= difference[0] else None


def _usage(counts: Counts) -> TokenUsage:
    read, cached, written, output = counts
    return TokenUsage(uncached_input=read - cached - written, cache_read=cached, cache_write_5m=written, output=output)
