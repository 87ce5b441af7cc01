"""A model that changes from one day to the next, seen through cells as a server keeps them."""

import numpy as np
import pytest

from mosaic_telemetry.engine.ladders import climb
from mosaic_telemetry.engine.rollup import Weighing, count, merged
from mosaic_telemetry.engine.store import EventRow, StoredCell
from mosaic_telemetry.forecast import answer

DAY_MS = 86_400_000
FIRST = 20_000
KIND = ("debugging", "gpt-5", "openai", "high")


def rows(rng, day, factor, events, success=0.9):
    moment = day * DAY_MS + 1000
    return [
        EventRow(
            *(1, 1, moment, moment, 0, *KIND, "custom", "success" if rng.random() < success else "failure", 1),
            *(int(tokens), 500, int(cost * factor), int(time), 0, 0),
        )
        for tokens, cost, time in rng.lognormal([11, 12, 10], 1.0, (events, 3))
    ]


def predicted(counted, today):
    stored = {key: StoredCell(cell, 0, 1) for key, cell in counted.cells.items()}
    ladder = climb([KIND], lambda keys: {key: stored[key] for key in keys if key in stored}, today, public=False)[0]
    return answer([ladder.question])[0], ladder


def counted_until(rng, days, factor_of, events=20, success_of=lambda _: 0.9):
    counted = None
    for day in range(days):
        more = count(rows(rng, FIRST + day, factor_of(day), events, success_of(day)), Weighing(FIRST - 300))
        counted = more if counted is None else merged(counted, more)
    return counted


def test_a_price_that_falls_is_followed_within_days_and_nothing_else_is_touched():
    rng = np.random.default_rng(5)
    counted = counted_until(rng, 120, lambda _: 1.0)
    before, ladder = predicted(counted, FIRST + 120)
    assert not ladder.recent
    medians = {}
    for day in range(120, 132):
        counted = merged(counted, count(rows(rng, FIRST + day, 0.4, 20), Weighing(FIRST - 300)))
        data, ladder = predicted(counted, FIRST + day)
        medians[day - 119] = (data.cost_usd_micros["median"] / before.cost_usd_micros["median"], ladder.recent, data)
    followed = min(days for days, (_, recent, _) in medians.items() if recent)
    assert followed <= 8
    assert 0.3 < medians[12][0] < 0.55  # of some 250 values, a few of them from before
    assert medians[12][2].duration_ms["median"] == pytest.approx(before.duration_ms["median"], rel=0.15)


def test_what_does_not_change_is_left_alone():
    rng = np.random.default_rng(6)
    taken = 0
    for _ in range(40):
        counted = counted_until(rng, 25, lambda _: 1.0, events=12)
        taken += predicted(counted, FIRST + 24)[1].recent
    assert taken <= 1


def test_a_model_that_breaks_is_seen_in_its_success_rate():
    rng = np.random.default_rng(7)
    counted = counted_until(rng, 70, lambda _: 1.0, success_of=lambda day: 0.95 if day < 63 else 0.2)
    assert predicted(counted, FIRST + 69)[0].quality.success_rate < 0.4


def test_by_age_alone_a_change_is_followed_as_slowly_as_the_half_life():
    rng = np.random.default_rng(8)
    counted = counted_until(rng, 130, lambda day: 1.0 if day < 120 else 0.4)
    whole = next(cell for key, cell in counted.cells.items() if key.level == 0)
    assert whole.cost_micros.quantile(0.5) > 0.7 * np.exp(12)
