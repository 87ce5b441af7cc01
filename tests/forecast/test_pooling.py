import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import CANDIDATES, DEFAULT, FULL, SHARES, Constants, pool
from mosaic_telemetry.forecast.pooling import fading, from_logs, own_size, to_logs

counts = st.integers(0, 300)
rising = st.lists(st.floats(-3, 20), min_size=5, max_size=5).map(sorted)


def nested(exact, provider, model, size, task, rest):
    """The sizes of the six levels, from how many values lie in each part of them."""
    any_provider = exact + provider
    return [exact, any_provider, any_provider + model, any_provider + size, any_provider + model + size + task, any_provider + model + size + task + rest]


questions = st.tuples(st.builds(nested, *[counts] * 6), st.lists(rising, min_size=6, max_size=6))


def pooled(sizes, quantiles, constants=DEFAULT):
    return pool(np.array([sizes]), np.array([quantiles]), constants)[0]


@given(questions, st.sampled_from(CANDIDATES))
def test_pooled_quantiles_rise_and_are_finite(question, constants):
    found = pooled(*question, constants)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-9).all()


@given(questions, st.integers(FULL, 10_000), st.sampled_from(CANDIDATES))
def test_from_a_hundred_values_on_a_level_stands_as_it_is(question, many, constants):
    sizes, quantiles = question
    sizes = [size + many for size in sizes]
    assert pooled(sizes, quantiles, constants) == pytest.approx(quantiles[0], abs=1e-9)


@given(questions, st.sampled_from(CANDIDATES))
def test_the_median_lies_between_those_of_the_levels_that_add_something(question, constants):
    sizes, quantiles = question
    there = [row[2] for size, row in zip(sizes, quantiles, strict=True) if size]
    if there:
        assert min(there) - 1e-9 <= pooled(sizes, quantiles, constants)[2] <= max(there) + 1e-9


@given(rising, st.integers(1, 99))
def test_a_level_that_holds_nothing_new_changes_nothing(own, many):
    elsewhere = [[value + 7 for value in own]] * 5
    assert pooled([many] * 6, [own, *elsewhere]) == pytest.approx(pooled([many] * 6, [own] * 6))


@given(rising, rising)
def test_more_own_values_draw_the_median_to_their_own(own, wider):
    distances = [abs(pooled([n] + [n + 500] * 5, [own] + [wider] * 5)[2] - own[2]) for n in (1, 3, 10, 30, 99, 100)]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(distances))
    assert distances[-1] == pytest.approx(0)


def test_the_median_is_shrunk_as_the_formula_says():
    shape = [-1.0, -0.5, 0.0, 0.5, 1.0]
    found = pooled([4, 1004, 1004, 1004, 1004, 1004], [[value + 3 for value in shape], *[shape] * 5], Constants(4, 10))
    kept = 1 - 4 / FULL  # k fades with n
    assert found[2] == pytest.approx(3 * 4 / (4 + 4 * kept))


def test_few_values_are_spread_wider_than_they_lie():
    same = [[5.0] * 5] * 6
    narrow, wide = (np.ptp(pooled([n] * 6, same)) for n in (90, 3))
    assert wide > 1.5
    assert narrow < wide / 4


def test_a_heavy_tail_lets_go_of_a_wider_level_that_clearly_differs():
    shape = [-1.0, -0.5, 0.0, 0.5, 1.0]
    far = [[value + 4 for value in shape], *[shape] * 5]
    near = [[value + 0.1 for value in shape], *[shape] * 5]
    sizes = [5, *[1005] * 5]
    assert pooled(sizes, far, Constants(8, 10, 4))[2] > pooled(sizes, far, Constants(8, 10, math.inf))[2] + 0.5
    assert pooled(sizes, near, Constants(8, 10, 4))[2] == pytest.approx(pooled(sizes, near, Constants(8, 10, math.inf))[2], abs=0.02)


@given(st.lists(counts, min_size=6, max_size=6), st.lists(rising, min_size=6, max_size=6), st.sampled_from(CANDIDATES))
def test_levels_that_were_read_at_different_moments_do_no_harm(sizes, quantiles, constants):
    found = pooled(sizes, quantiles, constants)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-9).all()


def test_without_values_there_is_nothing():
    assert pooled([0] * 6, [[9.0] * 5] * 6).tolist() == [0] * 5


@given(st.lists(questions, min_size=1, max_size=5))
def test_questions_do_not_touch_each_other(several):
    together = pool(np.array([sizes for sizes, _ in several]), np.array([rows for _, rows in several]))
    for row, (sizes, quantiles) in zip(together, several, strict=True):
        assert row == pytest.approx(pooled(sizes, quantiles))


@given(st.integers(0, 10**9))
def test_logarithms_come_back_as_the_same_whole_number(value):
    assert round(float(from_logs(to_logs(np.array(float(value)))))) == value


def test_the_own_size_is_that_of_the_most_specific_level_that_has_any():
    assert own_size(np.array([[0, 0, 3, 2, 8, 9], [0] * 6, [5, 6, 7, 8, 9, 10]])).tolist() == [3, 0, 5]
    assert fading(np.array([0, 50, 75, 100, 500])).tolist() == [1, 1, 0.5, 0, 0]
    assert list(SHARES) == sorted(SHARES)


@pytest.mark.parametrize("few", [2, 3, 5, 10])
def test_pooled_intervals_of_thin_cells_hold_about_what_they_promise_where_raw_ones_do_not(few):
    rng = np.random.default_rng(few)
    held = raw = 0
    shape = np.quantile(rng.normal(0, math.hypot(1, 0.7), 5000), SHARES)
    for _ in range(1500):
        centre = rng.normal(0, 0.7)
        own = np.quantile(rng.normal(centre, 1, few), SHARES)
        low, *_, high = pooled([few, *[few + 5000] * 5], [own, *[shape] * 5])
        truth = rng.normal(centre, 1)
        held += low <= truth <= high
        raw += own[0] <= truth <= own[-1]
    assert 0.74 <= held / 1500 <= 0.88
    assert raw < held
