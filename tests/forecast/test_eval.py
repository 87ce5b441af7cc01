"""The figures that the documentation promises, on tables of tasks that agents really did."""

import os
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from mosaic_telemetry.forecast import CLASSES, DIMENSIONS, TARGETS, Confidence, confidence
from mosaic_telemetry.forecast.backtest import Table, Task, backtest, by_group

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from eval_tables import TABLES, convert

DATA = os.environ.get("MOSAIC_TELEMETRY_TEST_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="MOSAIC_TELEMETRY_TEST_DATA does not name the folder of the test data")


def test_a_handful_of_sessions_of_free_form_turns_is_never_a_hundred_of_one_kind():
    turns = sorted(dict(convert(Path(DATA) / "eval"))["claude_code_turns"], key=lambda turn: turn["timestamp"])
    events, sessions, needed = Counter(), defaultdict(set), []
    for turn in turns:
        kind = tuple(turn[name] for name in DIMENSIONS)
        before = confidence(events[kind], 0)
        events[kind] += 1
        sessions[kind].add(turn["group"])
        if before != confidence(events[kind], 0) == Confidence.HIGH:
            needed.append(len(sessions[kind]))
    assert sorted(needed) == [23, 25, 48]


@pytest.fixture(scope="module")
def verdicts():
    found = {}
    for name, rows in convert(Path(DATA) / "eval"):
        table = Table.of(
            [
                Task(
                    *(row[key] for key in ("task_type", "model", "provider", "complexity")),
                    {target: row[target] for target in TARGETS if row.get(target) is not None},
                    row["group"],
                )
                for row in rows
            ]
        )
        for target in TARGETS:
            rng = np.random.default_rng(0)
            if verdict := backtest(table, target, by_group(table, rng), rng, ages=3 if name == "openhands" else 4):
                found[name, target] = verdict
    return found


def test_every_table_is_judged(verdicts):
    assert {name for name, _ in verdicts} == set(TABLES)
    assert len(verdicts) == 14


def test_intervals_hold_what_they_promise_on_every_table_and_target(verdicts):
    found = {key: round(verdict.scores["pooled", "all"].coverage, 3) for key, verdict in verdicts.items()}
    assert all(0.77 <= share <= 0.84 for share in found.values()), found


def test_intervals_hold_at_every_sample_size(verdicts):
    for size in CLASSES[1:]:
        scores = [verdict.scores["pooled", size] for verdict in verdicts.values()]
        within = sum(score.forecasts - score.below - score.above for score in scores)
        assert within / sum(score.forecasts for score in scores) >= 0.72, size


def loss(verdicts, method, baseline, view):
    """All tables and targets together: the loss of one method over that of another."""
    scores = [(verdict.scores[method, view], verdict.scores[baseline, view]) for verdict in verdicts.values() if verdict.scores[method, view].forecasts]
    return sum(ours.pinball * ours.forecasts for ours, _ in scores) / sum(theirs.pinball * theirs.forecasts for _, theirs in scores)


def test_the_loss_is_as_far_below_that_of_the_hard_ladder_as_is_wanted(verdicts):
    """The wire contract's ladder: raw quantiles, a dimension dropped only where nothing is known."""
    assert loss(verdicts, "pooled", "hard", "all") <= 0.92
    assert loss(verdicts, "pooled", "hard", "1-9") <= 0.80
    for key, verdict in verdicts.items():
        for view in ("now", "all", *CLASSES[1:]):
            ours, hard = verdict.scores["pooled", view], verdict.scores["hard", view]
            if view == "now" or ours.forecasts >= 1000:
                assert ours.pinball <= 1.01 * hard.pinball, (key, view)


def test_pooling_loses_nothing_against_the_ladder_on_any_table_at_any_size(verdicts):
    for key, verdict in verdicts.items():
        for view in ("now", "all", *CLASSES[1:]):
            ours, ladder = verdict.scores["pooled", view], verdict.scores["ladder", view]
            if view == "now" or ours.forecasts >= 1000:
                assert ours.pinball <= 1.01 * ladder.pinball, (key, view)


def test_pooling_gains_much_where_cells_are_thin(verdicts):
    openhands = verdicts["openhands", "actual_cost_usd_micros"].scores
    assert openhands["pooled", "all"].pinball <= 0.92 * openhands["ladder", "all"].pinball
    assert openhands["pooled", "1-9"].pinball <= 0.82 * openhands["ladder", "1-9"].pinball
    assert openhands["pooled", "now"].factor_error <= 1.525
    assert loss(verdicts, "pooled", "ladder", "all") <= 0.935
    assert loss(verdicts, "pooled", "ladder", "1-9") <= 0.88
    assert loss(verdicts, "pooled", "cell", "1-4") <= 0.72


def test_what_thin_cells_gain_is_more_than_half_of_what_knowing_all_would(verdicts):
    for view in ("all", "1-9"):
        gained, possible = (1 - loss(verdicts, method, "ladder", view) for method in ("pooled", "grown"))
        assert 0.5 * possible <= gained <= possible
