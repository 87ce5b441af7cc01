import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import SHARES, amount_kept, chance_within

rising = st.lists(st.integers(1, 10**8), min_size=5, max_size=5, unique=True).map(sorted)


@given(rising)
def test_chances_agree_with_the_forecast_at_its_quantiles(quantiles):
    assert [chance_within(quantiles, value) for value in quantiles] == list(SHARES)
    assert [amount_kept(quantiles, share) for share in SHARES] == quantiles


@given(st.lists(st.integers(0, 10**6), min_size=5, max_size=5).map(sorted), st.lists(st.floats(0, 1e9), min_size=2, max_size=10).map(sorted))
def test_a_larger_budget_is_never_less_likely_to_be_kept(quantiles, budgets):
    chances = [chance_within(quantiles, budget) for budget in budgets]
    assert all(earlier <= later + 1e-9 for earlier, later in pairwise(chances))
    assert all(0 <= chance <= 1 for chance in chances)


@given(st.lists(st.floats(1.05, 10), min_size=5, max_size=5), st.floats(0.02, 0.98))
def test_the_amount_that_is_kept_with_a_chance_has_that_chance(steps, share):
    quantiles = (100 * np.cumprod(steps)).tolist()
    assert chance_within(quantiles, amount_kept(quantiles, share)) == pytest.approx(share, abs=1e-6)


def test_the_tail_of_a_lognormal_forecast_is_met():
    sample = np.random.default_rng(1).lognormal(10, 1, 200_000)
    quantiles = np.quantile(sample, SHARES).tolist()
    assert amount_kept(quantiles, 0.99) == pytest.approx(np.quantile(sample, 0.99), rel=0.05)
    assert chance_within(quantiles, math.exp(8)) == pytest.approx((sample <= math.exp(8)).mean(), abs=0.005)


def test_a_forecast_of_one_value_is_kept_or_not():
    assert chance_within([7] * 5, 8) == 1
    assert chance_within([7] * 5, 6) == 0
    assert chance_within([1, 2, 3, 4, 5], 0) == 0
    assert amount_kept([7] * 5, 0.99) == pytest.approx(7)


@pytest.mark.parametrize("quantiles", [[1, 2, 3], [5, 4, 3, 2, 1], [-1, 2, 3, 4, 5]])
def test_what_is_no_forecast_is_refused(quantiles):
    with pytest.raises(ValueError, match="five rising"):
        chance_within(quantiles, 1)


def test_budgets_and_chances_are_checked():
    with pytest.raises(ValueError, match="negative"):
        chance_within([1, 2, 3, 4, 5], -1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        amount_kept([1, 2, 3, 4, 5], 1)
