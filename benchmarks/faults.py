"""What becomes of events, and of the program, when things go wrong? Every client under the same faults.

`lost` counts events whose call returned and that no server has at the end; `twice` those that a server counts more than once
(a client whose events carry an id is counted by that id). What only waits is tried with several clients at once, what is timed
one after another.
"""

from __future__ import annotations

import time
from typing import Any

from faulty import Measure, Row
from faulty.deaths import exits, killed, late, terminated
from faulty.forks import forks
from faulty.nuisances import nasty, overflow
from faulty.outages import lost_answers, outages, refusals
from peers import CLIENTS
from support.environment import require_peers
from support.server import Server
from support.tables import arguments, table

MEASURES: tuple[Measure, ...] = (outages, lost_answers, refusals, killed, terminated, exits, late, forks, overflow, nasty)


def measure(*, quick: bool, only: str | None = None) -> list[Row]:
    """All rows, or those of one measurement."""
    rows: list[Row] = []
    with Server() as server:
        for one in MEASURES:
            if only in {None, one.__name__}:
                begin = time.monotonic()
                rows += one(server, quick=quick)
                print(f"  {one.__name__}: {time.monotonic() - begin:.0f} s", flush=True)
    return rows


def render(rows: list[Row]) -> str:
    """The table, a row a fault."""
    head = ["fault", "cells say", *(client.label for client in CLIENTS.values())]
    return table(head, [[row.fault, row.says, *(row.cells[name] for name in CLIENTS)] for row in rows])


def main(given: Any) -> str:
    """Measure; gives the table."""
    require_peers()
    return render(measure(quick=given.quick, only=given.only))


if __name__ == "__main__":
    print(main(arguments(__doc__, choices=[one.__name__ for one in MEASURES])))
