"""A program that goes on while its server is away."""

from __future__ import annotations

import sys
import time
from typing import Any

import peers

from tasks import go, ready, say


def steady(client: str, url: str, events: int, spool: str | None = None, seconds: float = 1.0) -> None:
    """Report `events` events within about `seconds`; say so; close when told to, and then say when connections were tried."""
    port = int(url.rpartition(":")[2])
    connects: list[float] = []

    def listen(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][1] == port:
            connects.append(time.monotonic())

    sys.addaudithook(listen)
    peer = peers.make(client, peers.Settings(url, spool=spool))
    items = peer.prepare(range(events))
    ready()
    raised, begin = 0, time.monotonic()
    for number, item in enumerate(items):
        time.sleep(max(begin + seconds * number / events - time.monotonic(), 0.0))
        try:
            peer.report(item)
        except Exception:  # noqa: BLE001 - that is the question
            raised += 1
    say({"raised": raised})
    go()
    tried = list(connects)
    peer.close()
    say({"connects": tried})
