import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import Cell, Tasks, summarise
from mosaic_telemetry.schema import CorrectionFactors, QualityPrediction

amounts = st.integers(0, 10_000_000)
rows = st.lists(st.tuples(amounts, amounts, amounts, amounts, amounts, amounts, st.booleans(), st.booleans(), st.booleans()), max_size=25)


def cell_of(*tasks):
    cell = Cell()
    if tasks:
        cell.add(Tasks(*(np.array(column) for column in zip(*tasks, strict=True))))
    return cell


def task(*, tokens=(1000, 200), cost=50, duration=3000, estimated=(0, 0), passed=True, success=True, free=False):
    return (*tokens, cost, duration, *estimated, passed, success, free)


@given(rows, rows)
def test_merging_and_subtracting_are_inverse_to_the_byte(one, other):
    whole = cell_of(*one)
    whole.merge(cell_of(*other))
    assert whole == cell_of(*other, *one)
    whole.subtract(cell_of(*other))
    assert whole.to_bytes() == cell_of(*one).to_bytes()


@given(rows)
def test_the_serial_form_round_trips(tasks):
    cell = cell_of(*tasks)
    again = Cell.from_bytes(cell.to_bytes())
    assert again == cell
    assert again.events == len(tasks)


def test_taking_out_what_was_never_counted_is_refused_and_changes_nothing():
    cell = cell_of(task())
    with pytest.raises(ValueError, match="never counted"):
        cell.subtract(cell_of(task(cost=51)))
    assert cell == cell_of(task())


@given(rows.filter(bool))
def test_a_cell_counts_what_the_tasks_say(tasks):
    cell = cell_of(*tasks)
    assert cell.gates_passed == sum(row[6] for row in tasks)
    assert cell.successes == sum(row[7] for row in tasks)
    assert cell.duration_ms.total == cell.input_tokens.total == cell.output_tokens.total == len(tasks)
    assert cell.cost_micros.total == sum(row[2] > 0 or row[0] + row[1] == 0 or row[8] for row in tasks)
    assert cell.input_ratio.total == sum(row[4] > 0 for row in tasks)
    assert cell.output_ratio.total == sum(row[5] > 0 for row in tasks)


@pytest.mark.parametrize(
    ("events", "priced"),
    [
        ([task(cost=0)], False),
        ([task(cost=0, free=True)], True),
        ([task(cost=0, tokens=(0, 0))], True),
        ([task(cost=0), task(cost=70)], True),
    ],
)
def test_a_cost_of_0_with_tokens_is_unknown_unless_the_model_is_free(events, priced):
    assert bool(summarise(cell_of(*events)).cost_usd_micros) == priced


def test_only_priced_tasks_count_for_costs():
    data = summarise(cell_of(task(cost=0), task(cost=0), task(cost=40)))
    assert data.cost_usd_micros == {"p10": 40, "p25": 40, "median": 40, "p75": 40, "p90": 40}


def test_correction_factors_are_median_ratios_and_1_without_estimates():
    wild = [task(tokens=(200, 30), estimated=(100, 10))] * 3 + [task(tokens=(10_000_000, 1), estimated=(1, 10_000_000)), task()]
    factors = summarise(cell_of(*wild)).correction_factors
    assert factors.input == pytest.approx(2.0, rel=0.01)
    assert factors.output == pytest.approx(3.0, rel=0.01)
    assert summarise(cell_of(task())).correction_factors == CorrectionFactors(input=1.0, output=1.0)


def test_quality_is_shares_and_quantiles_are_whole_numbers_within_bounds():
    data = summarise(cell_of(*[task(duration=d, success=d > 200, passed=d > 300) for d in (100, 200, 300, 400)]))
    assert data.quality == QualityPrediction(gate_pass_rate=0.25, success_rate=0.5)
    assert set(data.duration_ms) == {"p10", "p25", "median", "p75", "p90"}
    assert data.duration_ms["median"] == pytest.approx(250, rel=0.01)
    assert all(type(value) is int for value in data.duration_ms.values())


def test_an_empty_cell_says_nothing():
    with pytest.raises(ValueError, match="empty"):
        summarise(Cell())
