"""The figures that the documentation promises, on tables of tasks that agents really did."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from mosaic_telemetry.forecast import CLASSES, TARGETS
from mosaic_telemetry.forecast.backtest import Table, Task, backtest, by_group

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from eval_tables import TABLES, convert

DATA = os.environ.get("MOSAIC_TELEMETRY_TEST_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="MOSAIC_TELEMETRY_TEST_DATA does not name the folder of the test data")


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


def test_pooling_loses_nothing_against_the_ladder_and_gains_much_where_cells_are_thin(verdicts):
    for key, verdict in verdicts.items():
        for view in ("now", "all"):
            assert verdict.scores["pooled", view].pinball <= 1.01 * verdict.scores["ladder", view].pinball, (key, view)
    openhands = verdicts["openhands", "actual_cost_usd_micros"].scores
    assert openhands["pooled", "all"].pinball <= 0.92 * openhands["ladder", "all"].pinball
    assert openhands["pooled", "1-9"].pinball <= 0.83 * openhands["ladder", "1-9"].pinball
    assert openhands["pooled", "now"].factor_error <= 1.525
