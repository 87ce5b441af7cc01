import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import CLASSES, Calibration, class_of

SHAPE = np.array([-1.2816, -0.6745, 0.0, 0.6745, 1.2816])  # of a normal distribution

records = st.lists(st.tuples(st.integers(0, 200), st.floats(-5, 5), st.floats(0.01, 5), st.floats(-20, 20)), max_size=20)


def recorded(*rows):
    calibration = Calibration()
    if rows:
        sizes, middles, widths, actuals = (np.array(column) for column in zip(*rows, strict=True))
        calibration.record(sizes, middles[:, None] + SHAPE * widths[:, None], actuals)
    return calibration


def coverage(forecasts, actuals):
    return ((actuals >= forecasts[:, 0]) & (actuals <= forecasts[:, -1])).mean()


@pytest.mark.parametrize("width", [0.4, 0.7, 1.4])
def test_intervals_that_were_too_narrow_or_too_wide_come_to_hold_what_they_promise(width):
    rng = np.random.default_rng(2)
    calibration = Calibration()
    sizes = np.full(4000, 7)
    forecasts = np.tile(SHAPE * width, (4000, 1))
    calibration.record(sizes, forecasts, rng.normal(0, 1, 4000))
    fresh = rng.normal(0, 1, 4000)
    assert abs(coverage(forecasts, fresh) - 0.8) > 0.05
    assert coverage(calibration.correct(sizes, forecasts), fresh) == pytest.approx(0.8, abs=0.03)


def test_each_side_is_corrected_by_its_own_record():
    rng = np.random.default_rng(3)
    sizes, forecasts = np.full(3000, 7), np.tile(SHAPE, (3000, 1))
    calibration = Calibration()
    calibration.record(sizes, forecasts, rng.exponential(3.0, 3000) - 0.5)
    lower, upper = calibration.factors()[CLASSES.index("5-9")]
    assert lower < 1 < upper


def test_quartiles_move_half_the_way_to_where_one_in_four_lay():
    rng = np.random.default_rng(5)
    sizes, forecasts = np.full(20_000, 7), np.tile(SHAPE, (20_000, 1))
    calibration = Calibration()
    came = rng.laplace(0, 1, 20_000)  # a sharper peak and longer tails than the forecast has
    calibration.record(sizes, forecasts, came)
    low, lower, middle, upper, high = calibration.correct(sizes[:1], forecasts[:1])[0]
    assert (low, high) == pytest.approx(tuple(np.quantile(came, (0.1, 0.9))), rel=0.03)
    stretched = SHAPE[3] * high / SHAPE[4]
    quartile = np.quantile(np.abs(came), 0.5)
    assert quartile < stretched
    assert (-lower, upper) == pytest.approx(((stretched + quartile) / 2,) * 2, rel=0.03)
    assert middle == 0


def test_where_nothing_came_on_one_side_its_quartile_comes_to_the_median_and_no_farther():
    corrected = recorded(*[(7, 0.0, 1.0, 2.0)] * 5000).correct(np.array([7]), np.array([SHAPE]))[0]
    assert SHAPE[1] / 2 - 0.05 < corrected[1] < 0
    assert corrected[3] <= corrected[4]


def test_classes_do_not_touch_each_other_and_from_a_hundred_values_on_nothing_is_corrected():
    rng = np.random.default_rng(4)
    calibration = Calibration()
    calibration.record(np.full(2000, 3), np.tile(SHAPE * 0.3, (2000, 1)), rng.normal(0, 1, 2000))
    calibration.record(np.full(2000, 500), np.tile(SHAPE * 0.3, (2000, 1)), rng.normal(0, 1, 2000))
    one = np.array([SHAPE])
    assert calibration.correct(np.array([3]), one)[0, -1] > 2 * SHAPE[-1]
    for untouched in (0, 7, 20, 100, 5000):
        assert calibration.correct(np.array([untouched]), one).tolist() == one.tolist()
    assert calibration.correct(np.array([3]), one)[0, 2] == 0


def test_a_short_record_moves_little():
    few, many = (recorded(*[(3, 0.0, 1.0, 9.0)] * count).factors()[1, 1] for count in (3, 3000))
    assert 1 < few < 1.05
    assert many > 2


@given(records, records)
def test_records_merge_to_what_one_record_of_both_holds(one, other):
    merged = recorded(*one)
    merged.merge(recorded(*other))
    assert merged == recorded(*other, *one)
    assert merged.settled == len(one) + len(other)


@given(records)
def test_the_serial_form_round_trips(rows):
    calibration = recorded(*rows)
    again = Calibration.from_bytes(calibration.to_bytes())
    assert again == calibration
    assert again.to_bytes() == calibration.to_bytes()


@given(records, st.integers(0, 200))
def test_corrected_quantiles_still_rise(rows, size):
    corrected = recorded(*rows).correct(np.array([size]), np.array([SHAPE]))
    assert (np.diff(corrected[0]) > 0).all()


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x01", recorded((1, 0.0, 1.0, 1.0)).to_bytes()[:-1], recorded().to_bytes() + b"\0"])
def test_what_is_no_serial_form_is_refused(data):
    with pytest.raises(ValueError, match="serial form"):
        Calibration.from_bytes(data)


def test_more_scores_than_forecasts_are_no_serial_form():
    form = bytearray(recorded((0, 0.0, 1.0, 1.0)).to_bytes())
    form[1] = 0
    with pytest.raises(ValueError, match="more scores"):
        Calibration.from_bytes(bytes(form))


def test_every_size_has_its_class():
    assert [CLASSES[number] for number in class_of(np.array([0, 1, 4, 5, 9, 10, 29, 30, 99, 100, 10**9]))] == [
        *("0", "1-4", "1-4", "5-9", "5-9", "10-29", "10-29", "30-99", "30-99", "100+", "100+")
    ]
