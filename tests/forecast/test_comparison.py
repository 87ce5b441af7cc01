import numpy as np
import pytest

from mosaic_telemetry.forecast import Cell, Tasks, compare


def cell_of(count, cost, successes):
    cell = Cell()
    numbers = [np.full(count, value, dtype=np.int64) for value in (1000, 100, cost, 60_000, 0, 0)]
    cell.add(Tasks(*numbers, np.ones(count, dtype=bool), np.arange(count) < successes, np.zeros(count, dtype=bool)))
    return cell


def test_models_stand_in_the_order_of_what_a_success_costs():
    cells = {
        "cheap but poor": cell_of(20, 100, 2),
        "dear but good": cell_of(20, 500, 20),
        "never": cell_of(20, 10, 0),
        "unpriced": cell_of(20, 0, 20),
        "new": cell_of(4, 1, 4),
    }
    found = compare(cells)
    assert [one.model for one in found] == ["dear but good", "cheap but poor", "never", "unpriced", "new"]
    assert found[0].cost.value == pytest.approx(500, rel=0.01)
    assert found[1].cost.value == pytest.approx(1000, rel=0.01)
    assert found[1].cost.low < found[1].cost.value < found[1].cost.high
    assert found[2].cost.value is None
    assert found[3].cost is None
    assert found[3].success_rate == 1
    assert not found[4].enough
    assert found[4].success_rate is found[4].cost is found[4].duration_ms is None


def test_a_budget_leaves_out_models_whose_typical_task_costs_more():
    cells = {"dear": cell_of(20, 500, 20), "cheap": cell_of(20, 100, 10), "new": cell_of(2, 900, 1)}
    assert [one.model for one in compare(cells, budget=200)] == ["cheap", "new"]
