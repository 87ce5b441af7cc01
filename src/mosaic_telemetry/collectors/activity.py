"""Time at work: the union of the spans in which a model or a tool was busy, so that what runs side by side counts once."""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["Spans"]


class Spans:
    """A set of spans of time in whole milliseconds, each from its start up to, not including, its end."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """Add a span; one that is empty or ends before it starts adds nothing."""
        if end <= start:
            return
        # Logs are nearly in order: most spans touch or follow the last.
        first = bisect_right(self._starts, start)
        if first and self._ends[first - 1] >= start:
            first -= 1
            start = self._starts[first]
        last = bisect_right(self._starts, end, first)
        if last > first:
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def update(self, other: Spans) -> None:
        """Add all spans of another set."""
        for start, end in zip(other._starts, other._ends, strict=True):
            self.add(start, end)

    @property
    def total(self) -> int:
        """Milliseconds in all."""
        return sum(self._ends) - sum(self._starts)
