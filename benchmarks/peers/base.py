"""What the benchmarks need of a client."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Settings:
    """How a client is set up.

    Attributes:
        url: the server.
        queue: events that may wait at most, where the client lets one say so.
        spool: the directory to keep events in, for a client that can.
        log: called with every problem, for a client that takes such a function; its own logger is left as it is.
    """

    url: str
    queue: int = 10_000
    spool: str | None = None


class Peer(Protocol):
    """A client, set up and ready. Batches of 100, no compression, no sampling, no debug output; all else is its default."""

    def prepare(self, numbers: Iterable[int]) -> list[Any]:
        """What `report` takes, for these events, made ahead so that only the call itself is measured."""

    def report(self, item: Any) -> object:
        """Report one event: the call that an application makes."""

    def full(self) -> bool:
        """Whether the next event could be dropped for want of room."""

    def flush(self) -> object:
        """Send what waits; returns when that is done, where the client can say so."""

    def close(self) -> object:
        """End as the client's documentation says that a program should."""
