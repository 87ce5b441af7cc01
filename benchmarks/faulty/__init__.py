"""What is done to the clients, and what becomes of their events: the rows of the fault table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from peers import CLIENTS
from support.environment import scratch
from support.server import Port, Server
from support.workers import Worker

__all__ = ["HUNG", "Measure", "Row", "drain", "each", "report_on", "spool_for"]

HUNG = "hangs"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: what happened, what the cells say, and a cell for each client."""

    fault: str
    says: str
    cells: dict[str, str]


def spool_for(name: str) -> str | None:
    """A fresh directory for a client that spools; None for the others."""
    return str(Path(tempfile.mkdtemp(dir=scratch())) / "spool") if name == "spool" else None


def each(measure: Callable[[str], Any], names: Iterable[str] = tuple(CLIENTS), *, at_once: int = 1) -> dict[str, Any]:
    """`measure` for every client; `at_once` of them at a time, where they mostly wait."""
    names = list(names)
    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip(names, pool.map(measure, names), strict=True))


def drain(port: Port, name: str, spool: str | None) -> None:
    """Start the program again, as one would, where the client can have kept anything."""
    if spool is not None:
        worker = Worker(name, "deaths.drain", url=port.url, spool=spool)
        worker.ready()
        worker.go()
        worker.finish(60)


def report_on(port: Port, events: int) -> tuple[int, int]:
    """Events of `events` that were lost, and receipts that a server counts though it has the event already."""
    report = port.report()
    return events - report["unique"], report["counted"] - report["unique"]


class Measure(Protocol):
    """Measures some rows."""

    __name__: str

    def __call__(self, server: Server, /, *, quick: bool) -> list[Row]: ...
