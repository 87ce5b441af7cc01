"""A program that forks while requests are in flight."""

from __future__ import annotations

import os
import signal
import time

import peers

from tasks import ready, say

EACH = 10
"""Events of each child."""
BEFORE = 200
"""Events of the parent before the first fork, and `EACH` more before every fork."""


def family(client: str, url: str, children: int, spool: str | None = None) -> None:
    """Parent and children report events of their own; says how many children had to be ended, or ended badly.

    Event numbers: the parent's from 0, those of child `n` from 1,000,000 + 1,000 n.
    """
    peer = peers.make(client, peers.Settings(url, spool=spool))
    items = peer.prepare(range(BEFORE + EACH * children))
    ready()
    for item in items[:BEFORE]:
        peer.report(item)
    alive = {}
    for number in range(children):
        time.sleep(0.02)
        first = BEFORE + EACH * number
        for item in items[first : first + EACH]:
            peer.report(item)
        pid = os.fork()
        if not pid:
            _child(peer, number)
        alive[pid] = time.monotonic() + 10.0
    hung = failed = 0
    while alive:
        for pid, deadline in list(alive.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                failed += status != 0
            elif time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                hung += 1
            else:
                continue
            del alive[pid]
        time.sleep(0.01)
    say({"hung": hung, "failed": failed})
    peer.close()


def _child(peer: peers.Peer, number: int) -> None:
    code = 1
    try:
        first = 1_000_000 + 1_000 * number
        for item in peer.prepare(range(first, first + EACH)):
            peer.report(item)
        peer.close()
        code = 0
    finally:
        os._exit(code)
