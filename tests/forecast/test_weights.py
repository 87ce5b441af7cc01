import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_telemetry.forecast import Cell, Counts, Tasks
from mosaic_telemetry.forecast.cell import quantiles_of
from mosaic_telemetry.forecast.weights import HALF_LIFE_DAYS, LARGEST_AGE, days_of, weights_of

DAY = 86_400_000
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)

amounts = st.integers(0, 10_000_000)
tasks = st.tuples(amounts, amounts, amounts, amounts, amounts, amounts, st.booleans(), st.booleans(), st.booleans())
weighed = st.lists(st.tuples(tasks, st.integers(0, LARGEST_AGE)), max_size=25)


def cell_of(rows):
    cell = Cell()
    if rows:
        columns = [np.array(column) for column in zip(*[row for row, _ in rows], strict=True)]
        cell.add(Tasks(*columns), weights_of(np.array([age for _, age in rows]), 0))
    return cell


def test_an_event_weighs_half_as_much_as_one_a_half_life_later():
    ages = np.arange(LARGEST_AGE - HALF_LIFE_DAYS)
    assert (weights_of(ages + HALF_LIFE_DAYS, 0) == 2 * weights_of(ages, 0)).all()
    steps = weights_of(np.arange(LARGEST_AGE), 0)
    assert steps[1:] / steps[:-1] == pytest.approx(2 ** (1 / HALF_LIFE_DAYS), rel=0.02)


@given(st.lists(st.integers(60, LARGEST_AGE), min_size=1, max_size=30), st.integers(0, 2))
def test_moving_the_landmark_by_half_lives_divides_all_weights_exactly(days, halvings):
    days = np.array(days)
    assert (weights_of(days, 0) == weights_of(days, HALF_LIFE_DAYS * halvings) << halvings).all()


@pytest.mark.parametrize(("ended", "day"), [(100, 100), (101, 100), (99, 99), (10, 10), (9, 10), (-5, 10)])
def test_an_event_is_weighed_by_the_day_on_which_its_task_ended_within_reason(ended, day):
    assert days_of(np.array([ended * DAY]), np.array([100 * DAY + 5])).tolist() == [day]


def test_weights_do_not_grow_for_ever():
    assert weights_of(np.array([LARGEST_AGE, 10**6]), 0).tolist() == [64 << 23] * 2
    assert weights_of(np.array([-5]), 0).tolist() == [64]


@given(weighed, weighed, weighed)
@settings(max_examples=40)
def test_weighed_cells_merge_in_any_order_and_subtract_exactly(one, two, three):
    def together(*parts):
        whole = Cell()
        for part in parts:
            whole.merge(part if isinstance(part, Cell) else cell_of(part))
        return whole

    whole = cell_of([*one, *two, *three])
    assert whole == together(one, two, three) == together(three, one, two) == together(one, together(two, three))
    whole.subtract(cell_of(two))
    assert whole.to_bytes() == together(one, three).to_bytes()
    assert Cell.from_bytes(whole.to_bytes()) == whole


@given(weighed.filter(bool))
@settings(max_examples=40)
def test_counts_stay_plain_and_rates_are_weighed(rows):
    cell = cell_of(rows)
    weights = weights_of(np.array([age for _, age in rows]), 0).tolist()
    assert cell.events == len(rows) == cell.duration_ms.total
    assert cell.cost_micros.total == sum(row[2] > 0 or row[0] + row[1] == 0 or row[8] for row, _ in rows)
    assert cell.weight == sum(weights)
    assert cell.success_rate == pytest.approx(sum(weight for (row, _), weight in zip(rows, weights, strict=True) if row[7]) / sum(weights))


@given(weighed.filter(bool), st.integers(0, LARGEST_AGE))
@settings(max_examples=60)
def test_where_all_weigh_alike_quantiles_are_numpys_within_a_percent(rows, age):
    cell = cell_of([(row, age) for row, _ in rows])
    exact = np.percentile([row[3] for row, _ in rows], [share * 100 for share in SHARES])
    assert cell.duration_ms.quantiles(SHARES) == pytest.approx(exact, rel=0.0101)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, LARGEST_AGE)), min_size=1, max_size=40))
@settings(max_examples=100)
def test_weighed_quantiles_rise_and_lie_within_a_percent_of_exact_ones(drawn):
    weights = weights_of(np.array([age for _, age in drawn]), 0)
    histogram = cell_of([((1, 1, 1, 1000 * 2**place, 0, 0, True, True, False), age) for place, age in drawn]).duration_ms
    found = histogram.quantiles(SHARES)
    assert found == sorted(found)
    for share, value in zip(SHARES, found, strict=True):
        assert value == pytest.approx(exactly([1000 * 2**place for place, _ in drawn], weights.tolist(), share), rel=0.0101)


def exactly(values, weights, share):
    """The definition, word by word: flat over a value's weights but for half a mean weight at both ends, straight between values."""
    mean = sum(weights) / len(weights)
    wanted = mean / 2 + share * (sum(weights) - mean)
    points, below = [], 0
    for value in sorted(set(values)):
        weight = sum(one for one, of in zip(weights, values, strict=True) if of == value)
        half = min(mean, weight) / 2
        points += [(below + half, value), (below + weight - half, value)]
        below += weight
    return float(np.interp(wanted, [place for place, _ in points], [value for _, value in points]))


@given(st.lists(weighed, min_size=1, max_size=5))
@settings(max_examples=30)
def test_many_cells_at_once_answer_as_one_by_one(many):
    cells = [cell_of(rows) for rows in many]
    sizes, quantiles = quantiles_of(cells, SHARES)
    for row, cell in enumerate(cells):
        for place, histogram in enumerate((cell.input_tokens, cell.output_tokens, cell.cost_micros, cell.duration_ms, cell.input_ratio, cell.output_ratio)):
            assert sizes[row, place] == histogram.total
            assert quantiles[row, place].tolist() == pytest.approx([0.0] * len(SHARES) if histogram.is_empty else histogram.quantiles(SHARES))


def test_old_events_count_less():
    old = [((1, 1, 1, 1000, 0, 0, True, True, False), 0)] * 60
    new = [((1, 1, 1, 9000, 0, 0, True, True, False), 90)] * 20
    assert cell_of([*old, *new]).duration_ms.quantile(0.5) == pytest.approx(9000, rel=0.01)


def test_what_is_known_beyond_a_value_keeps_its_weights():
    rows = [((1, 1, 1, value, 0, 0, True, True, False), age) for value, age in ((100, 0), (1000, 0), (5000, 0), (9000, 300))]
    beyond = cell_of(rows).duration_ms.above(500)
    assert beyond.quantile(0.5) == pytest.approx(9000, rel=0.01)
    assert 1 <= beyond.total <= 4
    assert cell_of(rows).duration_ms.above(10_000).total == 0


def test_cells_of_the_first_version_are_read():
    columns = [np.array([value, value]) for value in (1000, 200, 50, 3000, 100, 0)]
    flags = [np.array([True, False]), np.array([True, True]), np.array([False, False])]
    cell = Cell()
    cell.add(Tasks(*columns, *flags))
    bins = {int(key): int(count) for key, count in zip(cell.counts.keys, cell.counts.counts, strict=True) if key >= 4096}
    first = {0: 2, 1: 1, 2: 2} | bins
    first = Counts(np.array(list(first)), np.array(list(first.values())))
    assert Cell.from_bytes(first.to_bytes()) == cell
    with pytest.raises(ValueError, match="serial form of a cell"):
        Cell.from_bytes(b"\x07")
