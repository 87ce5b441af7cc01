"""The simulation of many instances: what it works out agrees with what it draws, and the page has its figures."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from scaling.arrival import Arrival, by_level  # noqa: E402 - the benchmarks are no package
from scaling.scales import all_scales, cell_sizes  # noqa: E402 - as above
from scaling.world import Expected, World  # noqa: E402 - as above


@pytest.fixture(scope="module")
def scales():
    return all_scales(World(), cell_sizes(World()))


def test_a_sample_has_the_cells_that_were_worked_out():
    world, instances = World(models=40), 60
    arrival = Arrival(world, instances)
    for _ in range(8):  # six of them are in the window
        arrival.pass_month()
    found = by_level(arrival.cells)
    for level, chance, amount in Expected(world, 180, 2).levels():
        expected = (1 - (1 - np.minimum(chance, 1)) ** instances).sum()
        assert found[level] == pytest.approx(expected, rel=0.15, abs=2)
        assert chance.max() <= 1
        assert amount.sum() == pytest.approx(world.activity().mean())
    assert sum(cell.events for key, cell in arrival.cells.items() if key.level == 5) == sum(
        cell.events for key, cell in arrival.cells.items() if key.level == 0
    )


def test_more_instances_are_more_of_everything_and_never_more_than_there_can_be(scales):
    for one, more in pairwise(scales):
        assert one.cells <= more.cells <= 60_000
        assert one.published <= one.cells
        assert one.cell_bytes < more.cell_bytes
        assert more.shares == pytest.approx(one.shares * 10)
        assert sum(more.classes.values()) == pytest.approx(1)


def printed(*words):
    script = [sys.executable, "-W", "error", str(ROOT / "benchmarks" / "scale_sim.py"), *words]
    return subprocess.run(script, check=True, capture_output=True, text=True, timeout=110).stdout


def test_the_page_has_the_tables_that_the_script_works_out():
    page = (ROOT / "docs" / "scaling.md").read_text()
    tables = printed("--tables").strip().split("\n\n")
    assert len(tables) == 4
    assert all(table in page for table in tables)


def test_it_runs():
    text = printed("--sample", "20", "--months", "2", "--counted", "300")
    assert "a keeper counts" in text
    assert "single weeks" in text
    assert "nan" not in text
