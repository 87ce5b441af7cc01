import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_telemetry.engine.accuracy import accuracy_as_json
from mosaic_telemetry.engine.ladders import climb
from mosaic_telemetry.engine.rollup import Weighing, count, merged
from mosaic_telemetry.engine.scoring import calibrations_of, month_of, settle
from mosaic_telemetry.engine.store import EventRow, StoredCell
from mosaic_telemetry.forecast import CLASSES, TARGETS, Record, answer

DAY_MS = 86_400_000
FIRST = 20_500
KIND = ("debugging", "gpt-5", "openai", "high")


def rows(rng, day, events, instance=1, spread=1.0, cost=1.0):
    moment = day * DAY_MS
    drawn = rng.lognormal([11, 8, 12, 10], spread, (events, 4)) * (1, 1, cost, 1)
    return [EventRow(1, instance, moment, moment, 0, *KIND, "custom", "success", 1, *(int(value) for value in row), 0, 0) for row in drawn]


class Kept:
    """What a keeper keeps, in memory."""

    def __init__(self):
        self.counted, self.records = None, {}

    def take(self, portion, *, public=False):
        today = portion[0].received_ms // DAY_MS
        self.records |= settle(portion, self.records, self.find, self.find_shares, today, public=public)
        more = count(portion, Weighing(FIRST - 300, public))
        self.counted = more if self.counted is None else merged(self.counted, more)

    def find(self, keys):
        cells = self.counted.of_shares() if self.counted else {}
        owners = [key for key, _ in self.counted.shares] if self.counted else []
        return {key: StoredCell(cells[key], 0, owners.count(key)) for key in keys if key in cells}

    def find_shares(self, keys):
        return {key: self.counted.shares[key] for key in keys if self.counted and key in self.counted.shares}


def test_each_event_is_held_against_what_was_said_before_it_was_counted():
    rng, kept = np.random.default_rng(1), Kept()
    kept.take(rows(rng, FIRST, 4))
    assert kept.records == {}  # nobody could have said anything
    kept.take(rows(rng, FIRST, 4))
    assert kept.records == {}  # nor with four
    kept.take(rows(rng, FIRST, 20))
    assert {(key.target, key.level, CLASSES[key.size]) for key in kept.records} == {(target, 0, "5-9") for target in TARGETS}
    assert {record.score.forecasts for record in kept.records.values()} == {20}
    kept.take(rows(rng, FIRST + 40, 5))
    assert {key.month for key in kept.records} == {month_of(FIRST * DAY_MS), month_of((FIRST + 40) * DAY_MS)}


def test_forecasts_hold_what_they_promise_and_the_record_says_so():
    rng, kept = np.random.default_rng(2), Kept()
    for day in range(40):
        kept.take(rows(rng, FIRST + day, 50))
    told = accuracy_as_json(kept.records)["targets"]["actual_cost_usd_micros"]
    assert told["forecasts"] == 39 * 50
    assert 0.77 <= told["coverage"] <= 0.83
    assert told["factor_error"] == pytest.approx(np.exp(0.67), rel=0.1)


def test_what_the_record_says_corrects_the_next_forecasts():
    """Tasks of many kinds, each of which was seen a few times, and which come far wider than thin cells are taken to be."""
    rng, kept = np.random.default_rng(3), Kept()
    for number in range(60):
        kind = [row._replace(model=f"model-{number}", cost_usd_micros=int(np.exp(rng.normal(12, 2.5)))) for row in rows(rng, FIRST, 26)]
        kept.take(kind[:6])
        kept.take(kind[6:])
    calibrations = calibrations_of(kept.records, month_of(FIRST * DAY_MS))
    found = []
    for corrections in (None, calibrations):
        (ladder,) = climb([("debugging", "model-3", "openai", "high")], kept.find, FIRST, public=False)
        found.append(answer([ladder.question], calibrations=corrections)[0].cost_usd_micros)
    thin = calibrations["actual_cost_usd_micros"].settled_of("5-9")
    assert thin == 60 * 20
    assert found[0]["median"] == found[1]["median"]
    assert found[1]["p90"] != found[0]["p90"]


def test_records_of_another_half_year_correct_nothing():
    rng, kept = np.random.default_rng(4), Kept()
    kept.take(rows(rng, FIRST, 10))
    kept.take(rows(rng, FIRST, 10))
    now = month_of(FIRST * DAY_MS)
    assert calibrations_of(kept.records, now)
    assert calibrations_of(kept.records, now + 5)
    assert not calibrations_of(kept.records, now + 6)


def test_on_a_public_server_an_instances_first_tasks_are_scored_alone():
    rng, kept = np.random.default_rng(5), Kept()
    for instance in range(1, 8):
        kept.take(rows(rng, FIRST, 10, instance), public=True)
    before = sum(record.score.forecasts for key, record in kept.records.items() if key.target == "task_duration_ms")
    kept.take(rows(rng, FIRST, 500, 99, cost=50.0), public=True)
    kept.take(rows(rng, FIRST, 500, 99, cost=50.0), public=True)
    after = sum(record.score.forecasts for key, record in kept.records.items() if key.target == "task_duration_ms")
    assert after - before == 20


def test_a_cost_that_is_not_known_is_no_wrong_forecast():
    rng, kept = np.random.default_rng(6), Kept()
    kept.take(rows(rng, FIRST, 10))
    kept.take([row._replace(cost_usd_micros=0) for row in rows(rng, FIRST, 10)])
    assert {key.target for key in kept.records} == set(TARGETS) - {"actual_cost_usd_micros"}


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(-3, 3)), max_size=20))
@settings(max_examples=30)
def test_a_record_survives_its_serial_form(settled):
    record = Record()
    for size, actual in settled:
        forecast = np.array([[-1.2, -0.6, 0.0, 0.6, 1.2]])
        record.settle(np.array([size]), forecast, forecast * 1.1, np.array([actual]))
    again = Record.from_bytes(record.to_bytes())
    assert again == record == record.copy()
    assert again.score.to_dict() == record.score.to_dict()
    for damaged in (b"", b"\x07abcdefgh", record.to_bytes()[:-1]):
        with pytest.raises(ValueError, match=r"serial form|buffer"):
            Record.from_bytes(damaged)
