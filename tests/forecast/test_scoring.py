import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import SHARES, Score, pinball

rows = st.lists(st.tuples(st.lists(st.floats(-5, 5), min_size=5, max_size=5).map(sorted), st.floats(-5, 5)), min_size=1, max_size=20)


def scored(*rows):
    score = Score()
    score.add(np.array([row for row, _ in rows]), np.array([actual for _, actual in rows]))
    return score


@given(rows)
def test_scores_are_what_their_definitions_say(sample):
    score = scored(*sample)
    within = [row[0] - 1e-9 <= actual <= row[4] + 1e-9 for row, actual in sample]
    loss = [max(share * (actual - value), (share - 1) * (actual - value)) for row, actual in sample for share, value in zip(SHARES, row, strict=True)]
    assert score.coverage == pytest.approx(np.mean(within))
    assert score.pinball == pytest.approx(np.mean(loss), abs=1e-5)
    assert score.factor_error == pytest.approx(math.exp(sorted(abs(actual - row[2]) for row, actual in sample)[(len(sample) - 1) // 2]), rel=0.0025)
    assert score.below + score.above == len(sample) - sum(within)


@given(rows)
def test_the_width_is_the_typical_factor_from_p10_to_p90(sample):
    width = float(np.median([row[4] - row[0] for row, _ in sample]))
    assert math.log(scored(*sample).sharpness) == pytest.approx(width, rel=0.011, abs=1e-6)


@given(rows, rows)
def test_scores_merge_to_the_score_of_both_in_any_order(one, other):
    merged = scored(*one)
    merged.merge(scored(*other))
    assert merged.to_dict() == scored(*other, *one).to_dict()


def test_the_true_quantiles_have_the_least_loss():
    rng = np.random.default_rng(6)
    actuals = rng.normal(0, 1, 20_000)
    true = np.quantile(rng.normal(0, 1, 200_000), SHARES)
    losses = {name: pinball(np.tile(row, (len(actuals), 1)), actuals).mean() for name, row in (("true", true), ("narrow", true * 0.6), ("off", true + 0.3))}
    assert losses["true"] < losses["narrow"]
    assert losses["true"] < losses["off"]


def test_without_forecasts_there_is_no_figure():
    score = Score()
    assert (score.coverage, score.pinball, score.factor_error, score.sharpness) == (None,) * 4
    assert score.to_dict()["forecasts"] == 0
