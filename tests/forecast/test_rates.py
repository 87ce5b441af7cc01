import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import Histogram, cost_per_success, share_interval

counts = st.integers(1, 200).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(counts, st.floats(0.01, 0.99))
def test_the_interval_of_a_share_holds_the_share_and_lies_between_0_and_1(observed, confidence):
    low, high = share_interval(*observed, confidence)
    assert 0 <= low <= observed[0] / observed[1] <= high <= 1
    assert low < high


@given(counts)
def test_more_of_the_same_is_surer(observed):
    low, high = share_interval(*observed)
    closer_low, closer_high = share_interval(observed[0] * 4, observed[1] * 4)
    assert closer_high - closer_low < high - low


def test_wilsons_interval_is_the_textbooks():
    assert share_interval(8, 10, 0.95) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize(("hits", "trials"), [(0, 0), (3, 2), (-1, 5)])
def test_what_is_no_share_is_refused(hits, trials):
    with pytest.raises(ValueError, match="no share"):
        share_interval(hits, trials)
    if trials != 0:
        with pytest.raises(ValueError, match="no share"):
            cost_per_success(Histogram([1.0]), hits, trials)


def test_a_confidence_of_1_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        share_interval(1, 2, 1.0)


@given(st.lists(st.integers(1, 10_000_000), min_size=1, max_size=50), st.data())
def test_the_cost_per_success_is_all_that_was_paid_over_the_successes(costs, data):
    successes = data.draw(st.integers(1, len(costs)))
    found = cost_per_success(Histogram(costs), successes, len(costs))
    assert found.value == pytest.approx(sum(costs) / successes, rel=0.011)
    assert 0 < found.low < found.value < found.high


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    truth = math.exp(10 + 0.8**2 / 2) / 0.6
    held = 0
    for _ in range(400):
        found = cost_per_success(Histogram(rng.lognormal(10, 0.8, 40)), int(rng.binomial(40, 0.6)), 40)
        held += found.low <= truth <= found.high
    assert 0.72 <= held / 400 <= 0.88


def test_without_a_success_only_the_lower_end_is_known():
    found = cost_per_success(Histogram([100.0] * 10), 0, 10)
    assert (found.value, found.high) == (None, None)
    assert found.low > 100


def test_without_costs_or_tasks_nothing_is_known_and_a_free_model_costs_nothing():
    assert cost_per_success(Histogram(), 3, 4) is None
    assert cost_per_success(Histogram([5.0]), 0, 0) is None
    free = cost_per_success(Histogram([0.0, 0.0]), 1, 2)
    assert (free.value, free.low, free.high) == (0, 0, 0)
    assert cost_per_success(Histogram([0.0]), 0, 1).value is None
