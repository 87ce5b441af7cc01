import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import SHARES, TARGETS, Calibration, Cell, Question, Tasks, answer, summarise, summary_of

amounts = st.integers(0, 10_000_000)
rows = st.lists(st.tuples(amounts, amounts, amounts, amounts, amounts, amounts), max_size=25)


def cell_of(rows):
    cell = Cell()
    if len(rows):
        flags = np.ones(len(rows), dtype=bool)
        cell.add(Tasks(*np.array(rows, dtype=np.int64).T, flags, flags, ~flags))
    return cell


def drawn(rng, centre, count):
    return np.column_stack([rng.lognormal(centre, 1, (count, 6)).astype(np.int64) + 1])


def question(level, *cells):
    return Question(level, [None if cell is None else summary_of(cell) for cell in cells])


@given(rows)
def test_the_quantiles_of_a_cell_are_those_of_its_histograms(sample):
    cell = cell_of(sample)
    sizes, quantiles = cell.quantiles(SHARES)
    histograms = (cell.input_tokens, cell.output_tokens, cell.cost_micros, cell.duration_ms, cell.input_ratio, cell.output_ratio)
    for histogram, size, row in zip(histograms, sizes, quantiles, strict=True):
        assert size == histogram.total
        assert row.tolist() == (histogram.quantiles(SHARES) if size else [0] * 5)


def test_a_hundred_events_answer_as_the_cell_itself():
    rng = np.random.default_rng(1)
    cell, wider = cell_of(drawn(rng, 8, 100)), cell_of(drawn(rng, 12, 900))
    wider.merge(cell)
    assert summary_of(cell).stands_alone
    alone = answer([question(0, cell, None, None, None, None, None)])[0]
    assert alone == answer([question(0, cell, wider, wider, wider, wider, wider)])[0] == summarise(cell)


def test_few_events_are_drawn_to_the_wider_cells_and_an_empty_exact_cell_answers_as_the_next():
    rng = np.random.default_rng(2)
    cell, wider = cell_of(drawn(rng, 8, 5)), cell_of(drawn(rng, 12, 900))
    assert answer([question(1, None, *[wider] * 5)])[0] == summarise(wider)
    wider.merge(cell)
    found = answer([question(0, cell, *[wider] * 5)])[0]
    assert summarise(cell).duration_ms["median"] < found.duration_ms["median"] < summarise(wider).duration_ms["median"]
    assert list(found.duration_ms.values()) == sorted(found.duration_ms.values())


def test_what_the_answering_level_does_not_know_is_not_guessed_from_wider_ones():
    rng = np.random.default_rng(3)
    unpriced = drawn(rng, 8, 6)
    unpriced[:, 2] = unpriced[:, 4] = 0
    cell, wider = cell_of(unpriced), cell_of(drawn(rng, 12, 900))
    wider.merge(cell)
    found = answer([question(0, cell, *[wider] * 5)])[0]
    assert found.cost_usd_micros == {}
    assert found.correction_factors.input == 1.0
    assert found.correction_factors.output != 1.0


def test_a_median_of_0_is_not_pooled():
    rng = np.random.default_rng(4)
    none = drawn(rng, 8, 6)
    none[:, 1] = 0
    cell, wider = cell_of(none), cell_of(drawn(rng, 12, 900))
    wider.merge(cell)
    found = answer([question(0, cell, *[wider] * 5)])[0]
    assert found.output_tokens.p90 == 0
    assert found.input_tokens.p90 > 0


def test_one_wild_ratio_does_not_move_the_correction_factor():
    rows = [[150, 300, 5, 5, 100, 100]] * 9 + [[10_000_000, 1, 5, 5, 1, 10_000_000]]
    factors = answer([question(0, *[cell_of(rows)] * 6)])[0].correction_factors
    assert (factors.input, factors.output) == pytest.approx((1.5, 3.0), rel=0.011)


def test_a_record_of_too_narrow_intervals_widens_that_target_alone():
    rng = np.random.default_rng(5)
    calibration = Calibration()
    calibration.record(np.full(2000, 6), np.tile([-0.3, -0.1, 0.0, 0.1, 0.3], (2000, 1)), rng.normal(0, 1, 2000))
    cell, wider = cell_of(drawn(rng, 8, 6)), cell_of(drawn(rng, 9, 900))
    wider.merge(cell)
    asked = [question(0, cell, *[wider] * 5)]
    plain, corrected = answer(asked)[0], answer(asked, calibrations={TARGETS[3]: calibration})[0]
    assert corrected.duration_ms["p90"] > plain.duration_ms["p90"]
    assert corrected.duration_ms["p10"] < plain.duration_ms["p10"]
    assert corrected.duration_ms["median"] == plain.duration_ms["median"]
    assert corrected.cost_usd_micros == plain.cost_usd_micros


def test_an_empty_cell_says_nothing_and_no_question_has_no_answer():
    with pytest.raises(ValueError, match="empty"):
        answer([question(0, None, *[cell_of([[1] * 6])] * 5)])
    assert answer([]) == []
