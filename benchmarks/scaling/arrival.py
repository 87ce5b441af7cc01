"""A year of tasks of a sample of instances, counted by the server's own code: to see the cells, their bytes and their errors."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mosaic_telemetry.engine.predict import predict
from mosaic_telemetry.engine.rollup import DAY_MS, Weighing, count
from mosaic_telemetry.engine.store import COUNTS, EventRow, StoredCell
from mosaic_telemetry.forecast import RECENT, Cell, CellKey
from mosaic_telemetry.schema import PredictionQuery
from scaling.world import MONTH, SLOTS, World, names_of

WINDOW_DAYS = 180
FIRST_DAY = 20_400
_AT_ONCE = 16_000
_SHOWN = ("debugging", "high")


@dataclass
class Arrival:
    """The cells of a sample, month by month.

    Args:
        world: what is assumed.
        instances: how many report.
        seed: of what is drawn.
    """

    world: World
    instances: int
    seed: int = 1

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        world = self.world
        rates = np.minimum(world.tasks_a_day * np.exp(world.spread * self.rng.standard_normal(self.instances)), world.most_a_day)
        self.tasks_a_day = rates
        self.ranks = self.rng.choice(world.models, size=(self.instances, len(SLOTS)), p=world.popularity())
        self.leaning = world.own_spread * self.rng.standard_normal(self.instances)
        self.cells: dict[CellKey, Cell] = {}
        self.shares: set[tuple[CellKey, int]] = set()
        self.events = 0
        self.months: list[dict[CellKey, Cell]] = []
        self.named = names_of(world)
        self.occupants = world.occupants(24)

    def pass_month(self) -> None:
        """Let one month's tasks come in, and those leave that the window has passed."""
        month = len(self.months)
        rows = self.rows_of(month)
        held: dict[CellKey, Cell] = {}
        weighing = Weighing(FIRST_DAY - 1)
        for start in range(0, len(rows), _AT_ONCE):
            counted = count(rows[start : start + _AT_ONCE], weighing)
            _join(held, counted.cells)
            self.shares.update(counted.shares)
        _join(self.cells, held)
        self.months.append(held)
        self.events += len(rows)
        if month >= WINDOW_DAYS // MONTH:
            for key, cell in self.months[month - WINDOW_DAYS // MONTH].items():
                self.cells[key].subtract(cell)
                if not self.cells[key].events:
                    del self.cells[key]
            self.months[month - WINDOW_DAYS // MONTH] = {}

    def rows_of(self, month: int) -> list[EventRow]:
        """Draw the tasks of a month."""
        world, rng = self.world, self.rng
        owners = np.repeat(np.arange(self.instances), rng.poisson(self.tasks_a_day * MONTH))
        amount = len(owners)
        names = self.occupants[month][self.ranks[owners, rng.choice(len(SLOTS), size=amount, p=SLOTS)]]
        kinds = [rng.choice(len(shares), size=amount, p=shares) for shares in (world.types, world.complexities, world.providers)]
        days = np.sort(rng.integers(MONTH, size=amount)) + FIRST_DAY + month * MONTH
        types, complexities, providers = self.named
        costs = rng.standard_normal(amount) * world.task_spread + self.leaning[owners]
        times = (days * DAY_MS).tolist()
        rows = []
        for place, (owner, name, kind, complexity, provider, noise) in enumerate(
            zip(owners.tolist(), names.tolist(), *(one.tolist() for one in kinds), costs.tolist(), strict=True)
        ):
            words = (types[kind], f"model-{name}", providers[provider], complexities[complexity])
            cost = int(np.exp(centre(*words) + noise))
            rows.append(
                EventRow(place, owner, times[place], times[place], COUNTS, *words, "custom", "success", 1, cost // 3, cost // 60, cost, cost // 5, 0, 0)
            )
        return rows

    def find(self, keys: Iterable[CellKey]) -> Mapping[CellKey, StoredCell]:
        """The cells of these names, as a store gives them."""
        return {key: StoredCell(self.cells[key], 0, self.instances) for key in keys if key in self.cells}


def centre(task_type: str, model: str, provider: str, complexity: str) -> float:
    """The logarithm of what such a task costs in the middle, in micro-dollars: effects of each, and of kind and model together."""
    del provider  # it is the same model
    return 12 + 0.5 * _about(task_type) + 0.7 * _about(model) + 0.5 * _about(complexity) + 0.3 * _about(task_type + model)


def _about(word: str) -> float:
    """A number about 0 that is always the same for a word."""
    return NormalDist().inv_cdf((zlib.crc32(word.encode()) % 9973 + 0.5) / 9973)


@dataclass(frozen=True, slots=True)
class Errors:
    """How predictions of the cost were, where the exact cell held so many events.

    Attributes:
        asked: predictions.
        factor: the typical factor between the predicted median and the true one.
        covered: the share of the true distribution between the predicted p10 and p90, on average.
    """

    asked: int
    factor: float
    covered: float


CLASSES = ((0, 0), (1, 4), (5, 9), (10, 29), (30, 99), (100, 999), (1000, 10**12))
"""Events in the exact cell."""


def errors_of(arrival: Arrival, seed: int, least: int) -> dict[tuple[int, int], Errors]:
    """Ask as tasks come, and hold the answers against the truth; by class of the exact cell's events.

    Args:
        arrival: whose cells.
        seed: of what is asked.
        least: predictions in a class, below which it is left out.
    """
    world, rng = arrival.world, np.random.default_rng(seed)
    types, complexities, providers = arrival.named
    names = arrival.occupants[len(arrival.months) - 1]
    spread = float(np.hypot(world.task_spread, world.own_spread))
    found: dict[tuple[int, int], list[tuple[float, float]]] = {one: [] for one in CLASSES}
    for popularity in (world.popularity(), np.full(world.models, 1 / world.models)):  # as tasks come, and evenly, for the rare ones
        queries = [
            PredictionQuery(
                task_type=types[rng.choice(len(types), p=world.types)],
                model=f"model-{names[rng.choice(world.models, p=popularity)]}",
                provider=providers[rng.choice(len(providers), p=world.providers)],
                complexity=complexities[rng.choice(len(complexities), p=world.complexities)],
            )
            for _ in range(1500)
        ]
        today = FIRST_DAY + len(arrival.months) * MONTH - 1
        for query, answer in zip(queries, predict(queries, arrival.find, today), strict=True):
            if answer.prediction is None:
                continue
            words = (query.task_type, query.model, query.provider, query.complexity)
            own = arrival.cells.get(CellKey(0, words))
            known, told = own.events if own else 0, answer.prediction.cost_usd_micros
            truth = NormalDist(centre(*words), spread)
            covered = truth.cdf(np.log(told["p90"])) - truth.cdf(np.log(max(told["p10"], 1)))
            size = next(one for one in CLASSES if one[0] <= known <= one[1])
            found[size].append((abs(np.log(told["median"]) - truth.mean), covered))
    return {
        size: Errors(len(seen), float(np.exp(np.mean([off for off, _ in seen]))), float(np.mean([covered for _, covered in seen])))
        for size, seen in found.items()
        if len(seen) >= least
    }


def bytes_by_size(world: World, most: int) -> dict[int, int]:
    """The bytes of a cell with 1, 3, 10, … events of one kind."""
    rng = np.random.default_rng(3)
    sizes, size = {}, 1
    while size <= most:
        costs = np.exp(12 + rng.standard_normal(size) * np.hypot(world.task_spread, world.own_spread)).astype(int).tolist()
        rows = [EventRow(1, 1, 0, 0, COUNTS, *_SHOWN[:1], "m", "p", _SHOWN[1], "h", "success", 1, c // 3, c // 60, c, c // 5, 0, 0) for c in costs]
        cells = count(rows, Weighing(0)).cells
        sizes[size] = len(next(cell for key, cell in cells.items() if key.level == 0).to_bytes())
        size = size * 3 if str(size)[0] == "1" else size // 3 * 10
    return sizes


def _join(held: dict[CellKey, Cell], new: Mapping[CellKey, Cell]) -> None:
    for key, cell in new.items():
        if key in held:
            held[key].merge(cell)
        else:
            held[key] = cell.copy()


def by_level(keys: Iterable[CellKey]) -> list[int]:
    """How many there are on each level of the ladder, and of periods behind them."""
    found = [0] * (RECENT + 1)
    for key in keys:
        found[key.level] += 1
    return found
