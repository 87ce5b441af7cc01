"""What so many instances come to after a year, worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mosaic_telemetry.forecast import PERIOD_DAYS, SHOWN_FROM
from scaling.arrival import CLASSES, WINDOW_DAYS, bytes_by_size
from scaling.world import DAY, MONTH, Expected, Floats, World

SCALES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
MONTHS = 12
WEEK = np.array([1.0 if day < 5 else 0.35 for day in range(7) for _ in range(24)]) * np.tile(1 + 0.6 * np.sin((np.arange(24) - 9) * np.pi / 12), 7)
"""How much comes in each hour of a week, beside the average: people of one part of the world."""
_LARGEST_BYTES_OF = 300_000


@dataclass(frozen=True, slots=True)
class Scale:
    """What so many instances come to.

    Attributes:
        instances: how many report.
        a_second: events, on average over a week.
        peak: events a second in the busiest hour.
        cells: on the ladder, at the end of the year.
        periods: cells of single weeks.
        published: cells of the ladder that a public server shows: of five instances or more.
        cell_bytes: the data of all cells.
        shares: rows that say what an instance has in a cell.
        classes: the chance that a task finds an exact cell of each class of events.
    """

    instances: int
    a_second: float
    peak: float
    cells: float
    periods: float
    published: float
    cell_bytes: float
    shares: float
    classes: Mapping[tuple[int, int], float]


def scale_of(world: World, instances: int, sizes: Mapping[int, int], months: int = MONTHS) -> Scale:
    """Work out what so many instances come to after a year, or after so many months."""
    window = min(months * MONTH, WINDOW_DAYS)
    ladder = list(Expected(world, window, months - window // MONTH).levels())
    ((_, present, amounts),) = [one for one in Expected(world, PERIOD_DAYS, months - 1).levels() if one[0] == 0]
    weeks = window / PERIOD_DAYS
    cells = sum(there(chance, instances).sum() for _, chance, _ in ladder)
    periods = weeks * there(present, instances).sum()
    held = sum(_bytes(chance, amount * window, instances, sizes) for _, chance, amount in ladder)
    held += weeks * _bytes(present, amounts * PERIOD_DAYS, instances, sizes)
    a_second = instances * float(world.activity().mean()) / DAY
    exact = ladder[0][2]
    return Scale(
        instances=instances,
        a_second=a_second,
        peak=a_second * float(WEEK.max() / WEEK.mean()),
        cells=cells,
        periods=periods,
        published=sum((1 - _poisson_below(chance * instances, SHOWN_FROM)).sum() for _, chance, _ in ladder),
        cell_bytes=held,
        shares=instances * (sum(chance.sum() for _, chance, _ in ladder) + weeks * present.sum()),
        classes=_classes(exact, instances * window * exact),
    )


def cell_sizes(world: World) -> dict[int, int]:
    """The bytes of a cell by its events, up to where it hardly grows."""
    return bytes_by_size(world, _LARGEST_BYTES_OF)


def all_scales(world: World, sizes: Mapping[int, int]) -> list[Scale]:
    """From a thousand instances to ten million."""
    return [scale_of(world, instances, sizes) for instances in SCALES]


def growth(world: World, instances: int, sizes: Mapping[int, int]) -> dict[int, Scale]:
    """The same after some months."""
    return {months: scale_of(world, instances, sizes, months) for months in (1, 2, 3, 6, 12)}


def there(chance: Floats, instances: int) -> Floats:
    """The chance that a cell is there, when an instance is in it with such a chance."""
    return 1 - np.exp(instances * np.log1p(-np.minimum(chance, 1 - 1e-12)))


def _bytes(chance: Floats, tasks: Floats, instances: int, sizes: Mapping[int, int]) -> float:
    """The bytes of cells with so many tasks an instance, of those that are there."""
    found = there(chance, instances)
    logs = np.log(np.maximum(instances * tasks / np.maximum(found, 1e-300), 1))
    return float((found * np.interp(logs, np.log(list(sizes)), list(sizes.values()))).sum())


def _poisson_below(means: Floats, count: int) -> Floats:
    """The chance of fewer than `count`."""
    term = np.exp(-means)
    total = np.zeros_like(means)
    for number in range(count):
        total += term
        term = term * means / (number + 1)
    return total


def _classes(weights: Floats, means: Floats) -> dict[tuple[int, int], float]:
    """How often a task finds a cell of each class: drawn by Poisson where few are there, by the mean where many are."""
    shares = weights / weights.sum()
    below = [_poisson_below(means, low) if low <= 10 else np.where(means < low, 1.0, 0.0) for low, _ in CLASSES]
    below.append(np.ones_like(means))
    return {size: float((shares * np.maximum(below[place + 1] - below[place], 0)).sum()) for place, size in enumerate(CLASSES)}


def behind(scale: Scale, rate: float) -> float:
    """The most seconds that counting is behind in a week, when it can do so many events a second."""
    waiting = worst = 0.0
    for hour in np.tile(WEEK / WEEK.mean(), 2):  # twice: what is left on Sunday is there on Monday
        waiting = max(0.0, waiting + (scale.a_second * hour - rate) * 3600)
        worst = max(worst, waiting)
    return worst / rate
