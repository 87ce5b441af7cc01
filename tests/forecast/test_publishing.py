import statistics
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_telemetry.forecast import MOST, Cell, Published, Tasks, contribution, publish, summary_of, weights_of

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from cheats import draw


def share_of(durations, ages=None):
    cell = Cell()
    ages = [300] * len(durations) if ages is None else ages
    count = len(durations)
    numbers = [np.full(count, value, dtype=np.int64) for value in (1000, 100, 50)]
    nothing = np.zeros(count, dtype=np.int64)
    flags = [np.ones(count, dtype=bool), np.ones(count, dtype=bool), np.zeros(count, dtype=bool)]
    cell.add(Tasks(*numbers, np.array(durations, dtype=np.int64), nothing, nothing, *flags), weights_of(np.array(ages), 0))
    return cell


def published(shares):
    whole = Cell()
    for share in shares:
        whole.merge(contribution(share))
    return Published(summary_of(whole), whole, len(shares))


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=120))
@settings(max_examples=40)
def test_an_instance_counts_for_so_many_tasks_at_most_and_says_the_same(durations):
    share = share_of(durations)
    scaled = contribution(share)
    assert scaled.events == min(len(durations), MOST)
    assert scaled.weight == pytest.approx(256 * share.weight * min(1, MOST / len(durations)), rel=1e-3)
    if len(durations) <= MOST:
        assert scaled.duration_ms.quantile(0.5) == pytest.approx(share.duration_ms.quantile(0.5))
    assert scaled.largest_share == pytest.approx(1, rel=0.011)


def test_shares_add_up_and_are_taken_out_exactly():
    one, other = contribution(share_of([100, 200] * 40)), contribution(share_of([5] * 3, ages=[0, 40, 400]))
    both = one.copy()
    both.merge(other)
    both.subtract(one)
    assert both.to_bytes() == other.to_bytes()


@pytest.mark.parametrize(("instances", "shown"), [(4, False), (5, True)])
def test_a_cell_is_shown_from_five_instances_on(instances, shown):
    (summary,) = publish([published([share_of([1000] * 50)] * instances)])
    assert (summary is not None) == shown


def crowd(instances, events, seed=1):
    rng = np.random.default_rng(seed)
    return [share_of(rng.lognormal(10, 1, events).astype(int)) for _ in range(instances)]


def test_twenty_instances_show_their_own_ends_and_nineteen_the_wider_ones():
    wider = published([share_of([1, 10, 100, 1000, 10_000] * 8)] * 30)
    for instances, own in ((20, True), (19, False)):
        cell = published(crowd(instances, 40))
        summary = publish([cell, wider])[0]
        ends = summary.quantiles[3, [0, 4]]
        assert (ends == cell.summary.quantiles[3, [0, 4]]).all() == own
        assert summary.quantiles[3, 2] == cell.summary.quantiles[3, 2]
        assert (np.diff(summary.quantiles[3]) >= 0).all()
        if not own:
            assert ends[1] / summary.quantiles[3, 2] == pytest.approx(wider.summary.quantiles[3, 4] / wider.summary.quantiles[3, 2], rel=0.01)


def test_one_heavy_instance_among_many_light_ones_takes_the_ends_away():
    cell = published([*crowd(40, 3), *crowd(1, 500)])
    assert cell.cell.largest_share > 0.05
    summary = publish([cell])[0]
    assert (summary.quantiles[3, [0, 4]] != cell.summary.quantiles[3, [0, 4]]).all()


def test_a_hundred_events_of_one_instance_are_not_a_hundred():
    assert published([share_of([1000] * 100)]).summary.events == MOST


@pytest.mark.parametrize(("cheats", "median", "high", "own"), [(1, 0.12, 0.30, True), (5, 0.25, None, False)])
def test_cheats_move_what_is_published_by_little(cheats, median, high, own):
    found = [draw("20 to 60 events each", cheats, seed) for seed in range(3)]
    assert all(abs(one[0]) <= median for one in found)
    assert all(one[2] == own for one in found)
    if high:
        assert all(abs(one[1]) <= high for one in found)


def test_uncapped_one_cheat_makes_everything_a_hundredfold():
    assert statistics.median(draw("20 to 60 events each", 1, seed, weighed=False)[0] for seed in range(2)) > 10
