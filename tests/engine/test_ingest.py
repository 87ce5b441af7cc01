import json
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from mosaic_telemetry.engine import BrokenJsonError, FormError, WrongInstanceError
from mosaic_telemetry.engine.ingest import judge, read_batch
from mosaic_telemetry.forecast import CellKey
from mosaic_telemetry.schema import encode

EVERYTHING = CellKey(5, ())


def body(*events):
    return json.dumps({"events": events}).encode()


def submit(house, *events):
    submission = house.engine.submit(house.instance, body(*events))
    new = submission.stored.result()
    answer = submission.answer(new)
    assert json.loads(submission.encode(new)) == json.loads(encode(answer))
    return answer


@pytest.mark.parametrize("text", [b"[]", b"{}", b"5", b'{"events": null}', b'{"events": {}}', b'{"events": []}', b'{"queries": []}', body(*[{}] * 101)])
def test_what_is_no_batch_is_a_form_error_that_says_what_is_wanted(text):
    with pytest.raises(FormError, match="1 to 100 events"):
        read_batch(text)


def test_the_number_of_events_is_named():
    with pytest.raises(FormError, match="has 101"):
        read_batch(body(*[{}] * 101))


@pytest.mark.parametrize("text", [b"", b"{", b'{"events": [{"a": NaN}]}', b'{"events": [{"x": "\xff"}]}', b'{"events": [' + b"[" * 100_000])
def test_broken_json_is_told_apart(text):
    with pytest.raises(BrokenJsonError):
        read_batch(text)


def test_one_bad_event_among_a_hundred_is_rejected_alone_and_in_its_place(house, make_event):
    events = [make_event(house.instance.instance_id) for _ in range(100)]
    events[42] |= {"complexity": "gigantic", "retry_count": -1}
    answer = submit(house, *events)
    assert (answer.accepted, answer.rejected) == (99, 1)
    assert [result.event_id for result in answer.results] == [event["event_id"] for event in events]
    assert [place for place, result in enumerate(answer.results) if result.status == "rejected"] == [42]
    assert "complexity: 'gigantic'" in answer.results[42].error
    assert "retry_count: -1" in answer.results[42].error
    assert all(result.error is None for result in answer.results if result.status == "accepted")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"instance_id": None}, "instance_id"),
        ({"instance_id": "abc"}, "instance_id"),
        ({"event_id": "abc"}, "event_id"),
        ({"event_id": 5}, "event_id"),
        ({"schema_version": "2.0"}, "schema_version"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "2026-02-07T10:00:00"}, "timestamp"),
        ({"model": "m" * 101}, "model"),
        ({"quality_gates_run": ["build", "taste"]}, "quality_gates_run"),
        ({"context_utilization_final": 1.01}, "context_utilization_final"),
        ({"quality_gate_passed": 1}, "quality_gate_passed"),
        ({"actual_input_tokens": 10_000_001}, "actual_input_tokens"),
    ],
)
def test_a_bad_event_harms_no_other(house, make_event, change, field):
    good = make_event(house.instance.instance_id)
    answer = submit(house, make_event(house.instance.instance_id) | change, good)
    assert [result.status for result in answer.results] == ["rejected", "accepted"]
    assert field in answer.results[0].error


@pytest.mark.parametrize("field", ["instance_id", "event_id", "timestamp", "task_type", "actual_cost_usd_micros"])
def test_a_missing_field_is_named(house, make_event, field):
    event = make_event(house.instance.instance_id)
    del event[field]
    (result,) = submit(house, event).results
    assert result.error.startswith(f"{field}: missing")


def test_duplicates_are_rejected_across_and_inside_batches_whatever_their_case(house, make_event):
    event = make_event(house.instance.instance_id)
    shouted = event | {"event_id": event["event_id"].upper()}
    first = submit(house, event, shouted, event)
    assert [result.status for result in first.results] == ["accepted", "rejected", "rejected"]
    again = submit(house, shouted)
    if house.engine._store.tells_duplicates:
        assert again.accepted == 0
        assert "duplicate" in again.results[0].error
    for result in first.results[1:]:
        assert "duplicate" in result.error
    house.engine.roll_up()
    assert house.engine._store.find_cells([EVERYTHING])[EVERYTHING].cell.events == 1
    assert again.results[0].event_id == shouted["event_id"]


def test_a_bad_event_does_not_use_up_its_id(house, make_event):
    event = make_event(house.instance.instance_id)
    answer = submit(house, event | {"retry_count": 99}, event)
    assert [result.status for result in answer.results] == ["rejected", "accepted"]


def test_the_same_events_from_several_threads_are_accepted_once_each(house, make_event):
    events = [make_event(house.instance.instance_id) for _ in range(200)]
    batches = [events[start : start + 50] for start in range(0, 200, 50)] * 6
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda batch: submit(house, *batch), batches))
    accepted = [result.event_id for answer in answers for result in answer.results if result.status == "accepted"]
    ids = sorted(event["event_id"] for event in events)
    assert sorted(accepted if house.engine._store.tells_duplicates else set(accepted)) == ids
    house.engine.roll_up()
    assert house.engine._store.find_cells([EVERYTHING])[EVERYTHING].cell.events == len(ids)
    assert house.engine.verify() == []


def test_an_event_of_another_instance_refuses_the_whole_batch(house, make_event):
    good, foreign = make_event(house.instance.instance_id), make_event(uuid4())
    for other in (foreign, foreign | {"task_type": "cooking"}):
        with pytest.raises(WrongInstanceError, match="event 1"):
            submit(house, good, other)
    assert submit(house, good).accepted == 1


def test_an_instance_id_in_upper_case_is_the_same_instance(make_event):
    instance = UUID("abcdefab-cdef-4abc-8def-abcdefabcdef")
    event = make_event(str(instance).upper())
    judged = judge([json.dumps(event).encode()], instance)
    assert (len(judged.events), judged.errors) == (1, {})


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)  # it looks into the file
def test_an_unknown_field_is_passed_over_and_nowhere_kept(house, make_event):
    assert submit(house, make_event(house.instance.instance_id) | {"prompt": "a-secret-sentence"}).accepted == 1
    house.engine.close()
    assert b"a-secret-sentence" not in b"".join(file.read_bytes() for file in house.path.parent.iterdir())
