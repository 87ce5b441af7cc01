import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import LADDER, SHARES, Histogram
from mosaic_telemetry.forecast.backtest import METHODS, VIEWS, Table, Task, backtest, by_group, by_source, by_time
from mosaic_telemetry.forecast.backtest.knowledge import look, thinned

COST = "actual_cost_usd_micros"


def tasks(rng, count=600, *, models=8, effect=1.0, spread=0.7, source=0, hour=0):
    """Tasks whose cost depends on the model and on chance."""
    centres = np.random.default_rng(99).normal(0, effect, models)
    chosen = rng.integers(0, models, count)
    return [
        Task(
            "testing" if number % 2 else "debugging",
            f"model-{model}",
            "openai",
            "low",
            {COST: math.exp(12 + centres[model] + rng.normal(0, spread))},
            group=f"{source}-{number % 90}",
            time=hour + float(number),
            source=source,
        )
        for number, model in enumerate(chosen.tolist())
    ]


def judged(table, splits, **more):
    return backtest(table, COST, splits, np.random.default_rng(0), **{"ages": 2, **more})


def test_pooled_forecasts_hold_what_they_promise_and_beat_the_ladder_where_cells_are_thin():
    table = Table.of(tasks(np.random.default_rng(1), 900))
    verdict = judged(table, by_group(table, np.random.default_rng(0)), ages=8)
    scores = verdict.scores
    assert verdict.tasks == 900
    assert 0.76 <= scores["pooled", "all"].coverage <= 0.84
    assert scores["pooled", "1-9"].pinball < 0.9 * scores["ladder", "1-9"].pinball
    assert scores["ladder", "5-9"].coverage < 0.7
    assert scores["pooled", "now"].factor_error < scores["global", "now"].factor_error
    assert sum(verdict.constants.values()) == 5
    assert scores["grown", "now"].to_dict() == scores["pooled", "now"].to_dict()
    assert scores["grown", "1-9"].pinball < scores["pooled", "1-9"].pinball


def test_every_forecast_is_counted_once_in_its_view():
    table = Table.of(tasks(np.random.default_rng(2)))
    scores = judged(table, by_group(table, np.random.default_rng(0))).scores
    for method in ("pooled", "ladder", "global"):
        by_size = [scores[method, view].forecasts for view in VIEWS[3:]]
        assert sum(by_size) == scores[method, "all"].forecasts <= 600 * 3
        assert scores[method, "1-9"].forecasts == scores[method, "1-4"].forecasts + scores[method, "5-9"].forecasts
    assert scores["pooled", "now"].forecasts == 600


def test_nothing_is_learned_from_what_is_judged():
    rng = np.random.default_rng(3)
    known = tasks(rng)
    fresh = tasks(rng, 200, source=1)
    absurd = [Task(one.task_type, one.model, one.provider, one.complexity, {COST: one.amounts[COST] * 1e6}, one.group, one.time, 1) for one in fresh]
    plain, moved = (judged(table, by_source(table, 0, 1)) for table in (Table.of(known + fresh), Table.of(known + absurd)))
    assert plain.constants == moved.constants
    for method in METHODS:
        assert plain.scores[method, "all"].sharpness == moved.scores[method, "all"].sharpness
    assert plain.scores["pooled", "now"].coverage > 0.7
    assert moved.scores["pooled", "now"].coverage == 0


def test_the_same_seed_gives_the_same_figures():
    table = Table.of(tasks(np.random.default_rng(4), 200))
    one, other = (judged(table, by_group(table, np.random.default_rng(7))) for _ in range(2))
    assert {key: score.to_dict() for key, score in one.scores.items()} == {key: score.to_dict() for key, score in other.scores.items()}


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60).filter(lambda groups: len(set(groups)) > 1), st.integers(0, 5))
def test_folds_judge_each_task_once_and_never_know_its_group(groups, seed):
    table = Table.of([Task("testing", "m", "openai", "low", {COST: 1.0}, group=str(group)) for group in groups])
    splits = by_group(table, np.random.default_rng(seed))
    assert sum(split.judged.astype(int) for split in splits).tolist() == [1] * len(groups)
    for split in splits:
        assert not set(table.groups[split.known]) & set(table.groups[split.judged])


def test_in_time_each_task_is_judged_by_earlier_ones_alone():
    table = Table.of(tasks(np.random.default_rng(5), 50)[::-1])
    splits = by_time(table)
    assert len(splits) == 4
    for split in splits:
        assert table.times[split.known].max() < table.times[split.judged].min()
    assert sum(split.judged.sum() for split in splits) == 40
    with pytest.raises(ValueError, match="timestamp in every row"):
        by_time(Table.of([Task("testing", "m", "openai", "low", {COST: 1.0})] * 10))
    with pytest.raises(ValueError, match="at least 5 rows"):
        by_time(Table.of([Task("testing", "m", "openai", "low", {COST: 1.0}, time=1.0)] * 4))


def test_a_group_that_is_to_be_judged_is_never_known():
    shared = [Task("testing", "m", "openai", "low", {COST: 1.0}, group=group, source=source) for group, source in (("a", 0), ("b", 0), ("b", 1))]
    (split,) = by_source(Table.of(shared), 0, 1)
    assert (split.known.tolist(), split.judged.tolist()) == ([True, False, False], [False, False, True])
    with pytest.raises(ValueError, match="nothing is left"):
        by_source(Table.of(shared[1:]), 0, 1)


def test_one_group_cannot_be_folded_and_too_few_tasks_have_no_verdict():
    with pytest.raises(ValueError, match="two groups"):
        by_group(Table.of([Task("testing", "m", "openai", "low", {COST: 1.0}, group="one")] * 9), np.random.default_rng(0))
    table = Table.of([Task("testing", "m", "openai", "low", {COST: 1.0}), Task("testing", "m", "openai", "low", {})])
    assert judged(table, by_group(table, np.random.default_rng(0))) is None


def test_what_is_seen_of_a_cell_is_what_its_histogram_says():
    rng = np.random.default_rng(6)
    several = tasks(rng, 300)
    table = Table.of(several)
    known = rng.random(300) < 0.6
    sight = look(table, table.binned(COST), known, np.arange(300))
    for row in rng.integers(0, 300, 20).tolist():
        for level, kept in enumerate(LADDER):
            alike = [
                one.amounts[COST]
                for one, there in zip(several, known, strict=True)
                if there and all(getattr(one, name) == getattr(several[row], name) for name in kept)
            ]
            assert sight.sizes[sight.rows[row], level] == len(alike)
            if alike:
                assert np.exp(sight.quantiles[sight.rows[row], level]) == pytest.approx(Histogram(alike).quantiles(SHARES))


@given(st.integers(0, 20))
def test_a_younger_server_knows_some_of_every_cell_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    table = Table.of(tasks(rng, 120))
    known = rng.random(120) < 0.7
    fewer = thinned(table, known, rng)
    assert not (fewer & ~known).any()
    assert set(table.cells[fewer, 0]) == set(table.cells[known, 0])
