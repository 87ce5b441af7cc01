"""What does one call cost the program that reports? p50, p99 and p99.9, with one and with eight threads, while events are sent.

Every round measures every client once, each in a fresh process, one after another; a figure is the median over the rounds.
"""

from __future__ import annotations

import statistics
from typing import Any

from peers import CLIENTS, OURS_ONLY, PEERS
from support.environment import require_peers
from support.server import Server
from support.tables import arguments, ratio, table
from support.workers import run

BURST = 20_000
TOGETHER = 6_000
"""Calls of eight threads: so few that none but sentry-sdk has to wait for room, which would count as time of the calls."""
PACED = 3_000
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "one": ("calls.burst", {"calls": BURST, "threads": 1}),
    "eight": ("calls.burst", {"calls": TOGETHER, "threads": 8}),
    "paced": ("calls.paced", {"calls": PACED, "pause": 0.001}),
}


def measure(rounds: int, *, quick: bool) -> dict[str, dict[str, dict[str, float]]]:
    """Microseconds by case, client and statistic."""
    clients = {**CLIENTS, **OURS_ONLY}
    found: dict[str, dict[str, list[dict[str, float]]]] = {case: {name: [] for name in clients} for case in CASES}
    with Server() as server:
        for _ in range(rounds):
            for case, (task, options) in CASES.items():
                for name in clients:
                    port = server.open()
                    shorter = {"calls": options["calls"] // 10} if quick else {}
                    found[case][name].append(run(name, task, url=port.url, **{**options, **shorter}))
                    port.close()
    return {
        case: {name: {key: statistics.median(one[key] for one in many) for key in many[0]} for name, many in by_name.items()} for case, by_name in found.items()
    }


def render(measured: dict[str, dict[str, dict[str, float]]]) -> str:
    """The table."""
    one, eight, paced = measured["one"], measured["eight"], measured["paced"]
    best = min(one[name]["p50"] for name in PEERS)
    rows = []
    for name, client in {**CLIENTS, **OURS_ONLY}.items():
        burst, pace = one[name], paced[name]
        rows.append(
            [
                client.label,
                f"{burst['p50']:.1f}",
                ratio(burst["p50"], best),
                f"{burst['p99']:.0f}",
                f"{burst['p999']:,.0f}",
                f"{eight[name]['wall']:.1f}",
                f"{pace['p50']:.1f}",
                f"{pace['p99']:.0f}",
                f"{pace['p999']:,.0f}",
            ]
        )
    head = ["µs a call", "p50", "of the best peer", "p99", "p99.9", "8 threads, wall", "paced p50", "paced p99", "paced p99.9"]
    return table(head, rows)


def main(given: Any) -> str:
    """Measure; gives the table."""
    require_peers()
    return render(measure(given.rounds, quick=given.quick))


if __name__ == "__main__":
    print(main(arguments(__doc__, rounds=(3, 1))))
