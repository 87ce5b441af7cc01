"""The first call of a program."""

from __future__ import annotations

import os
import time

import tasks


def call(client: str, url: str) -> None:
    """Milliseconds of import, set-up and the first call; the adapter itself is a few lines of each."""
    tasks.ready()
    begin = time.perf_counter()
    import peers

    peer = peers.make(client, peers.Settings(url))
    peer.report(peer.prepare([0])[0])
    tasks.say({"ms": (time.perf_counter() - begin) * 1000})
    os._exit(0)
