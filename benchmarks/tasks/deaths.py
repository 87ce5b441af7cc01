"""Programs that end, each in its own way."""

from __future__ import annotations

import importlib
import itertools
import mmap
import os
import struct
import time
from pathlib import Path

import peers

import tasks


def stream(client: str, url: str, counter: str, spool: str | None = None) -> None:
    """Report events for ever, about one each millisecond; how many calls have returned stands in the shared file `counter`."""
    peer = peers.make(client, peers.Settings(url, spool=spool))
    descriptor = os.open(counter, os.O_RDWR)
    with mmap.mmap(descriptor, 8) as shared:
        tasks.ready()
        for number in itertools.count():
            peer.report(peer.prepare([number])[0])
            shared[:8] = struct.pack("<q", number + 1)
            time.sleep(0.0005)


def waiting(client: str, url: str, events: int, spool: str | None = None) -> None:
    """Report events, say so, and wait for a signal."""
    peer = peers.make(client, peers.Settings(url, spool=spool))
    tasks.ready()
    for item in peer.prepare(range(events)):
        peer.report(item)
    tasks.say({"reported": events})
    time.sleep(600)


def ending(client: str, url: str, events: int, *, spool: str | None = None, how: str = "plain") -> None:
    """Report events, then come to the end of the program.

    How: `plain`; `close`, with the client's own close first; `late`, with one more event after all exit handlers of the client.
    """
    peer = peers.make(client, peers.Settings(url, spool=spool))
    items = peer.prepare(range(events + 1))
    tasks.ready()
    for item in items[:events]:
        peer.report(item)
    if how == "late":
        tasks.at_last(lambda: peer.report(items[-1]))
    tasks.say({"end": time.monotonic()})
    if how == "close":
        peer.close()


def nothing(client: str) -> None:
    """Import the client and come to the end of the program: what an exit takes without any event."""
    importlib.import_module(f"peers.{peers.CLIENTS[client].module}")
    tasks.ready()
    tasks.say({"end": time.monotonic()})


def drain(client: str, url: str, spool: str) -> None:
    """The next start of a program whose predecessor has died: send what is found."""
    Path(spool).mkdir(parents=True, exist_ok=True)
    peer = peers.make(client, peers.Settings(url, spool=spool))
    tasks.ready()
    peer.flush()
    peer.close()
    tasks.say({})
