"""What a client does to the program that it lives in."""

from __future__ import annotations

import time
from typing import Any

import peers

from tasks import ready, say

NASTY_FROM = 2_000_000
"""Numbers of the events with nasty values; their good neighbours count from 0."""
NEIGHBOURS = 5


def _resident() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - read thousands of times
        return int(file.read().split()[1]) * 4096


def overflow(client: str, url: str, events: int, spool: str | None = None) -> None:
    """Report into a queue of 1,000 with nobody there: growth of memory in bytes, slowest call in milliseconds."""
    peer = peers.make(client, peers.Settings(url, queue=1_000, spool=spool))
    for item in peer.prepare(range(1_000)):
        peer.report(item)
    time.sleep(0.5)
    ready()
    before = peak = _resident()
    slowest = 0.0
    for number in range(events):
        item = peer.prepare([number])[0]
        begin = time.perf_counter()
        peer.report(item)
        slowest = max(slowest, time.perf_counter() - begin)
        if not number % 100:
            peak = max(peak, _resident())
    say({"growth": max(peak, _resident()) - before, "slowest": slowest * 1000})
    import os

    os._exit(0)


class Hostile:
    """Raises whatever is asked of it."""

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("hostile")

    __str__ = __repr__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = __getattr__ = _refuse  # type: ignore[assignment]  # on purpose


class HostileText(str):
    """A text that raises when it is turned into one."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("hostile")

    __repr__ = __str__


def nasty_values() -> dict[str, Any]:
    """Values that a program may well put into a field by mistake."""
    circle: dict[str, Any] = {}
    circle["self"] = circle
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    return {
        "a circular dict": circle,
        "a list 5,000 deep": deep,
        "a lone surrogate": "\ud800",
        "an integer of 5,000 digits": 10**5_000,
        "NaN": float("nan"),
        "bytes": b"\xff\x00",
        "a set": {1, 2},
        "an object": object(),
        "an object that raises": Hostile(),
        "a text that raises": HostileText("x"),
        "a function": nasty_values,
        "a generator": (number for number in range(3)),
        "keys that are tuples": {(1, 2): 3},
    }


def nasty(client: str, url: str, spool: str | None = None) -> None:
    """Report events with a nasty value in one field, each among good ones; says which raised, and how many good ones there were."""
    peer = peers.make(client, peers.Settings(url, spool=spool))
    ready()
    raised: list[str] = []
    good = 0
    for number, (name, value) in enumerate(nasty_values().items()):
        for item in peer.prepare(range(good, good + NEIGHBOURS)):
            peer.report(item)
        good += NEIGHBOURS
        item = peer.prepare([NASTY_FROM + number])[0]
        try:
            _put(item, value)
            peer.report(item)
        except BaseException as error:  # noqa: BLE001 - that is the question
            raised.append(f"{name}: {type(error).__name__}")
    for item in peer.prepare(range(good, good + NEIGHBOURS)):
        peer.report(item)
    good += NEIGHBOURS
    say({"raised": raised, "good": good})
    peer.close()
    say({"raised": raised, "good": good, "closed": True})


def _put(item: Any, value: Any) -> None:
    """Put the value into a field, past any check at its making."""
    fields = item if isinstance(item, dict) else item.__dict__
    fields["language"] = value
