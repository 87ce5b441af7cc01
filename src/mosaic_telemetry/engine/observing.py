"""What an engine tells of its work to whoever counts it, such as the server's metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Observer", "Observers", "Unobserved"]


class Observer(Protocol):
    """Is told; must be fast, and may be called from any thread."""

    def events(self, result: str, events: int) -> None:
        """So many events were accepted, duplicates or invalid."""

    def handed_over(self, events: int) -> None:
        """So many events were handed to the store."""

    def stored(self, events: int, seconds: float) -> None:
        """They are durable, or the store failed; after so many seconds."""

    def commit(self, batches: int, seconds: float) -> None:
        """So many batches or other writes shared a commit, which took so long."""


class Unobserved:
    """Nobody listens."""

    def events(self, result: str, events: int) -> None: ...

    def handed_over(self, events: int) -> None: ...

    def stored(self, events: int, seconds: float) -> None: ...

    def commit(self, batches: int, seconds: float) -> None: ...


class Observers:
    """Several who listen.

    Args:
        each: those who are told.
    """

    def __init__(self, each: Sequence[Observer]) -> None:
        self._each = each

    def events(self, result: str, events: int) -> None:
        for observer in self._each:
            observer.events(result, events)

    def handed_over(self, events: int) -> None:
        for observer in self._each:
            observer.handed_over(events)

    def stored(self, events: int, seconds: float) -> None:
        for observer in self._each:
            observer.stored(events, seconds)

    def commit(self, batches: int, seconds: float) -> None:
        for observer in self._each:
            observer.commit(batches, seconds)
