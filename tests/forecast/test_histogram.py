import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.forecast import Counts, Histogram
from mosaic_telemetry.forecast.histogram import ACCURACY, BINS, LARGEST, SMALLEST, bins_of

SHARES = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0]

values = st.lists(st.one_of(st.integers(0, 100_000_000).map(float), st.floats(1e-7, 1e8), st.just(0.0)), max_size=40)
some_values = values.filter(bool)


def merged(*parts):
    whole = Histogram()
    for part in parts:
        whole.merge(part)
    return whole


@given(some_values)
def test_quantiles_lie_within_one_percent_of_numpy(sample):
    for share, found in zip(SHARES, Histogram(sample).quantiles(SHARES), strict=True):
        exact = float(np.quantile(sample, share))
        assert math.isclose(found, exact, rel_tol=ACCURACY * (1 + 1e-9), abs_tol=1e-12)


@given(some_values, st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_quantiles_are_monotone(sample, shares):
    found = Histogram(sample).quantiles(sorted(shares))
    assert found == sorted(found)


@given(values, values)
def test_merging_is_adding_the_values_of_both(one, other):
    assert merged(Histogram(one), Histogram(other)) == Histogram(one + other)


@given(values, values, values)
def test_merging_is_associative_and_commutative(a, b, c):
    x, y, z = Histogram(a), Histogram(b), Histogram(c)
    assert merged(merged(x, y), z) == merged(x, merged(y, z)) == merged(z, y, x)


@given(values, values)
def test_subtracting_undoes_merging_to_the_byte(one, other):
    whole = merged(Histogram(one), Histogram(other))
    whole.subtract(Histogram(other))
    assert whole == Histogram(one)
    assert whole.to_bytes() == Histogram(one).to_bytes()


@given(values)
def test_the_serial_form_round_trips(sample):
    histogram = Histogram(sample)
    assert Histogram.from_bytes(histogram.to_bytes()) == histogram


@pytest.mark.parametrize("count", [1, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**62])
def test_counts_of_every_width_round_trip(count):
    histogram = Histogram([7.0])
    histogram.add(1e6, count)
    assert Histogram.from_bytes(histogram.to_bytes()) == histogram
    assert histogram.total == count + 1


@given(st.binary(max_size=60))
def test_garbage_is_refused_or_is_a_serial_form(data):
    try:
        histogram = Histogram.from_bytes(data)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either outcome is right; what counts is that nothing else is raised
    else:
        assert Histogram.from_bytes(histogram.to_bytes()) == histogram


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\x02", "version 2"),
        (b"\x01\x01", "too short"),
        (Histogram([1.0, 2.0]).to_bytes()[:-1], "length"),
        (Histogram([1.0, 2.0]).to_bytes() + b"\0", "length"),
        (Counts.of(np.array([BINS])).to_bytes(), "bin"),
        (b"\x01\x01\x01\x00\x05\x00\x05\x00\x01\x01", "out of order"),
        (b"\x01\x01\x00\x00\x05\x00\x00", "not above 0"),
    ],
)
def test_broken_serial_forms_say_what_is_wrong(data, words):
    with pytest.raises(ValueError, match=words):
        Histogram.from_bytes(data)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, LARGEST * 1.01])
def test_values_that_no_bin_takes_are_refused_and_change_nothing(value):
    histogram = Histogram([3.0])
    with pytest.raises(ValueError, match="from 0 to"):
        histogram.add_many(np.array([1.0, value]))
    with pytest.raises(ValueError, match="from 0 to"):
        histogram.add(value)
    assert histogram == Histogram([3.0])


def test_taking_out_what_was_never_added_is_refused_and_changes_nothing():
    histogram = Histogram([3.0, 5.0])
    with pytest.raises(ValueError, match="never counted"):
        histogram.subtract(Histogram([3.0, 3.0]))
    assert histogram == Histogram([3.0, 5.0])


def test_adding_one_by_one_many_at_once_and_with_a_count_agree():
    one_by_one = Histogram()
    for value in (0.0, 4.0, 4.0, 4.0):
        one_by_one.add(value)
    counted = Histogram([0.0])
    counted.add(4.0, 3)
    counted.add(9.0, 0)
    assert one_by_one == counted == Histogram([0.0, 4.0, 4.0, 4.0])
    with pytest.raises(ValueError, match="-1 times"):
        counted.add(4.0, -1)


def test_the_ends_of_the_range_have_bins():
    low, high = bins_of(np.array([SMALLEST, LARGEST]))
    assert 0 < low < high < BINS
    assert bins_of(np.array([SMALLEST / 2]))[0] == 0


def test_an_empty_histogram_has_no_quantiles_and_shares_are_checked():
    with pytest.raises(ValueError, match="empty"):
        Histogram().quantile(0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Histogram([1.0]).quantile(1.5)


@given(values, st.floats(0, 1e8))
def test_what_lies_above_is_what_a_histogram_of_the_larger_values_holds(sample, limit):
    reached = bins_of(np.array([limit]))[0]
    larger = [value for value in sample if bins_of(np.array([value]))[0] > reached]
    assert Histogram(sample).above(limit) == Histogram(larger)
    assert all(value > limit for value in larger)
    assert len(larger) >= sum(value > limit * 1.03 + SMALLEST for value in sample)


@given(some_values, st.floats(0, 1e8))
def test_the_share_up_to_a_value_lies_between_those_a_bin_to_either_side(sample, limit):
    found = Histogram(sample).share_up_to(limit)
    below, up_to = (sum(value <= edge for value in sample) / len(sample) for edge in (limit * 0.97, limit * 1.03 + SMALLEST))
    assert below - 1e-9 <= found <= up_to + 1e-9


@given(some_values, st.floats(0, 1e8))
def test_what_is_still_to_come_is_the_whole_less_what_is_spent(sample, spent):
    histogram = Histogram(sample)
    beyond = histogram.above(spent)
    if beyond.is_empty:
        with pytest.raises(ValueError, match="still to come"):
            histogram.remainder(spent, SHARES)
        return
    rest = histogram.remainder(spent, SHARES)
    assert rest == sorted(rest)
    assert rest == pytest.approx([max(whole - spent, 0) for whole in beyond.quantiles(SHARES)])
    assert min(rest) >= 0


def test_the_longer_a_heavy_tailed_task_has_run_the_more_is_still_to_come():
    histogram = Histogram(np.random.default_rng(1).pareto(1.5, 20_000) + 1)
    medians = [histogram.remainder(spent, (0.5,))[0] for spent in (1, 2, 4, 8)]
    assert medians == sorted(medians)
    assert medians[-1] > 3 * medians[0]


@given(some_values)
def test_mean_and_deviation_are_those_of_the_values_within_one_percent(sample):
    mean, deviation = Histogram(sample).moments()
    assert mean == pytest.approx(np.mean(sample), rel=0.01, abs=1e-9)
    assert deviation == pytest.approx(np.std(sample), rel=0.05, abs=0.05 * np.mean(sample) + 1e-9)


def test_an_empty_histogram_has_no_mean_and_no_shares():
    with pytest.raises(ValueError, match="no mean"):
        Histogram().moments()
    with pytest.raises(ValueError, match="no shares"):
        Histogram().share_up_to(1)
