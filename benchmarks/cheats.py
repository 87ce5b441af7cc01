"""How far can cheats move what a public server publishes?

    .venv/bin/python benchmarks/cheats.py

A cell of 50 honest contributors, and a wider one of 350; costs are drawn with the spread of real tasks (p90 over median 3.6). One and five cheats
send 10,000 events each at a hundred times the cost, into both cells. Shown is by how much the published median and p90 move, beside a server that weighs every
event alike; 6 draws each, median and worst. The last column says how often p90 is still published from the cell itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mosaic_telemetry.forecast import LADDER, Cell, Published, Question, Summary, Tasks, answer, contribution, publish, summaries

DRAWS = 6
HONEST, OTHERS = 50, 300
SENT, FACTOR = 10_000, 100
MEDIAN_MICROS, SPREAD = 200_000, 1.0

CROWDS: dict[str, Callable[[np.random.Generator, int], list[int]]] = {
    "20 to 60 events each": lambda rng, count: [int(number) for number in rng.integers(20, 61, count)],
    "unequal (median 15)": lambda rng, count: [max(1, int(number)) for number in rng.lognormal(np.log(15), 1.2, count)],
    "few (1 to 12)": lambda rng, count: [int(number) for number in rng.integers(1, 13, count)],
}


@dataclass(frozen=True)
class Told:
    """What is published.

    Attributes:
        median: in micro-dollars.
        p90: likewise.
        own: whether p90 is the cell's own.
    """

    median: float
    p90: float
    own: bool


def share(rng: np.random.Generator, events: int, factor: float = 1.0) -> Cell:
    """The events of one instance."""
    cost = np.clip(rng.lognormal(np.log(MEDIAN_MICROS * factor), SPREAD, events), 1, 100_000_000).astype(np.int64)
    cell = Cell()
    numbers = [np.full(events, number, dtype=np.int64) for number in (50_000, 2_000)]
    nothing = np.zeros(events, dtype=np.int64)
    cell.add(Tasks(*numbers, cost, cost // 3, nothing, nothing, nothing == 0, nothing == 0, nothing == 1), np.full(events, 512))
    return cell


def total(parts: list[Cell]) -> Cell:
    whole = Cell()
    for part in parts:
        whole.merge(part)
    return whole


def told(honest: list[Cell], others: list[Cell], cheats: list[Cell], *, weighed: bool = True) -> Told:
    """What is published of the cost."""
    each = contribution if weighed else Cell.copy
    exact, wider = total(list(map(each, [*honest, *cheats]))), total(list(map(each, [*honest, *others, *cheats])))
    one, all_of_them = summaries([exact, wider])
    crowd = len(honest) + len(cheats)
    ladder: list[Published | None] = [Published(one, exact, crowd), *[Published(all_of_them, wider, crowd + len(others))] * (len(LADDER) - 1)]
    seen: list[Summary | None] = publish(ladder) if weighed else [level.summary if level else None for level in ladder]
    cost = answer([Question(0, seen)])[0].cost_usd_micros
    return Told(cost["median"], cost["p90"], bool(seen[0] is not None and seen[0].quantiles[2, 4] == one.quantiles[2, 4]))


def draw(crowd: str, cheats: int, seed: int, *, weighed: bool = True) -> tuple[float, float, bool]:
    """By what factor the median and p90 move, less one, and whether p90 is the cell's own afterwards."""
    rng = np.random.default_rng(seed)
    honest = [share(rng, events) for events in CROWDS[crowd](rng, HONEST)]
    others = [share(rng, events) for events in CROWDS[crowd](rng, OTHERS)]
    before = told(honest, others, [], weighed=weighed)
    after = told(honest, others, [share(rng, SENT, FACTOR) for _ in range(cheats)], weighed=weighed)
    return after.median / before.median - 1, after.p90 / before.p90 - 1, after.own


def moved(factors: list[float]) -> str:
    return f"{statistics.median(factors):+.0%}, worst {max(factors, key=abs):+.0%}"


def main() -> None:
    print(f"{'honest contributors':<24}{'cheats':>7}{'':>9}{'median moves':>26}{'p90 moves':>26}{'own p90':>9}")
    for crowd in CROWDS:
        for cheats in (1, 5):
            for weighed in (False, True):
                found = [draw(crowd, cheats, seed, weighed=weighed) for seed in range(DRAWS)]
                columns = [moved([one[place] for one in found]) for place in (0, 1)]
                own = statistics.mean(one[2] for one in found)
                print(f"{crowd:<24}{cheats:>7}{'weighed' if weighed else 'raw':>9}{columns[0]:>26}{columns[1]:>26}{own:>9.0%}")


if __name__ == "__main__":
    main()
