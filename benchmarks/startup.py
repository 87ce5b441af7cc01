"""What does it cost to have the client at all? Import time and memory, dependencies, size on disk, and the time to the first call.

Each import runs in fresh interpreters, one client after another in every round; import time is what the import statement takes,
without the start of Python. Memory is the growth of the resident set over the import.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from typing import Any

from peers import CLIENTS, OURS, PEERS, Client
from support.environment import BENCHMARKS, PYTHON, clean_environment, require_peers
from support.server import Server
from support.tables import arguments, ratio, table
from support.workers import run

STATSD = Client("statsd (UDP only)", "", "", ("statsd",), "import statsd")


def _clients() -> dict[str, Client]:
    return {**PEERS, "statsd": STATSD, "mosaic": OURS["spool"]}


def imports(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds and bytes of each import, by client."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _clients()}
    for number in range(rounds + 1):
        for name, client in _clients().items():
            words = [str(PYTHON), str(BENCHMARKS / "support" / "probe.py"), client.statement]
            said = subprocess.run(words, check=True, capture_output=True, text=True, env=clean_environment()).stdout.split()
            if number:  # the first round fills the system's caches
                found[name].append((float(said[0]), float(said[1])))
    return found


def sizes() -> dict[str, Any]:
    """See `support.sizes`."""
    words = [str(PYTHON), str(BENCHMARKS / "support" / "sizes.py"), *{",".join(client.distributions) for client in _clients().values()}]
    answer: dict[str, Any] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True, env=clean_environment()).stdout)
    return answer


def first_calls(rounds: int) -> dict[str, float]:
    """Milliseconds from nothing but Python to a first event that is reported: import, set-up and the call; by client."""
    found: dict[str, list[float]] = {name: [] for name in CLIENTS}
    with Server() as server:
        port = server.open()
        for _ in range(rounds):
            for name in CLIENTS:
                found[name].append(run(name, "first.call", url=port.url)["ms"])
    return {name: statistics.median(times) for name, times in found.items()}


def render(imported: dict[str, list[tuple[float, float]]], weighed: dict[str, Any], first: dict[str, float]) -> str:
    """The table."""
    best = min(min(ms for ms, _ in imported[name]) for name in PEERS)
    rows = []
    for name, client in _clients().items():
        times, memory = zip(*imported[name], strict=True)
        weight = weighed[",".join(client.distributions)]
        label = "**mosaic**" if name == "mosaic" else client.label
        own, everything = weight["own"], weight["all"]
        if name == "mosaic":
            own = everything = weighed["sdk"]["own"]
        called = first.get("spool" if name == "mosaic" else name)
        rows.append(
            [
                label,
                f"{min(times):.1f} / {statistics.median(times):.1f}",
                ratio(min(times), best),
                f"{statistics.median(memory) / 2**20:.1f}",
                f"{called:.0f}" if called else "-",
                weight["dependencies"],
                f"{own / 1024:,.0f}",
                f"{everything / 1024:,.0f}",
            ]
        )
    head = ["client", "import ms, min / median", "of the best peer", "import MB", "first call ms", "dependencies", "client KB", "with dependencies KB"]
    whole = weighed["mosaic-telemetry"]["own"] / 1024
    return f"{table(head, rows)}\n\nThe whole package of ours, with server, collectors and commands, is {whole:,.0f} KB; the SDK is the part given above."


def main(given: Any) -> str:
    """Measure; gives the table."""
    require_peers()
    return render(imports(given.rounds), sizes(), first_calls(min(given.rounds, 5)))


if __name__ == "__main__":
    print(main(arguments(__doc__, rounds=(15, 3))))
