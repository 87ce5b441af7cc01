"""How long a server waits for its clients, and how many of them it holds at a time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """What a connection is given. Times are in seconds.

    Attributes:
        head: from the first byte of a request to the end of its headers; also from the opening of a connection.
        body: from the end of the headers to the end of the body.
        answer: for which a client may leave an answer unread before the connection is cut.
        connections: that a process holds at most.
    """

    head: float = 10.0
    body: float = 30.0
    answer: float = 30.0
    connections: int = 4000

    @property
    def request(self) -> float:
        """From the first byte of a request to the last, also where it was answered before: the body's own deadline answers first."""
        return self.head + self.body + 1
