"""What came in, in numbers."""

import json
from datetime import UTC, datetime

import pytest

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.intake import reason_of

TODAY = datetime.now(UTC).date()


def test_what_became_of_events_is_counted(house, make_event):
    good, bad, worse = make_event(house.instance.instance_id), make_event(house.instance.instance_id, retry_count=99), "no event"
    for events in ([good, bad], [good, worse]):
        submission = house.engine.submit(house.instance, json.dumps({"events": events}).encode())
        submission.stored.result()
    house.report({}, count=3)
    counted = {key.result: number for key, number in house.engine.intake(TODAY, TODAY).items()}
    told = {"accepted": 4, "duplicate": 1} if house.engine._store.tells_duplicates else {"accepted": 5}
    assert counted == {**told, "invalid: retry_count": 1, "invalid": 1}
    assert {key.instance for key in house.engine.intake(TODAY, TODAY)} == {house.instance.number}


def test_numbers_are_written_by_themselves_and_at_the_end(house):
    house.report({}, count=2)
    house.engine.close()
    with open_engine(house.path) as again:
        assert sum(again.intake(TODAY, TODAY).values()) == 2


def test_another_process_sees_them_soon(house):
    from support.waiting import wait_for

    with open_engine(house.path) as other:
        house.report({}, count=2)
        wait_for(lambda: sum(other.intake(TODAY, TODAY).values()) == 2, 20, "numbers written by a timer")


@pytest.mark.parametrize(("error", "reason"), [("model: too long; cost: x", "invalid: model"), ("anything: else", "invalid"), ("", "invalid")])
def test_reasons_are_few(error, reason):
    assert reason_of(error) == reason
