"""The event as an object: what its builder takes, that nobody can change it, and that it travels."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from dataclasses import fields as fields_of
from typing import NotRequired, get_origin, get_type_hints

import pytest
from support.events import fields

from mosaic_telemetry import EventBuilderParams, FieldError, TaskCompletionEvent, ValidationError
from mosaic_telemetry.schema import encode_event, from_dict

AUTO = {"instance_id", "event_id", "schema_version", "timestamp"}
EVENT = {
    "instance_id": "0190b2c4-7d3f-4a51-9c2e-3f5a6b7c8d9e",
    "event_id": "0190b2c4-7d3f-7a51-9c2e-3f5a6b7c8d9e",
    "timestamp": "2026-02-07T10:00:00.000Z",
    **fields(),
}


def test_the_builder_takes_all_fields_but_the_automatic_ones():
    names = [item.name for item in fields_of(TaskCompletionEvent)]
    assert {item.name for item in fields_of(TaskCompletionEvent) if item.metadata["auto"]} == AUTO
    assert list(get_type_hints(EventBuilderParams)) == [name for name in names if name not in AUTO]
    hints = get_type_hints(EventBuilderParams, include_extras=True)
    assert {name for name, hint in hints.items() if get_origin(hint) is NotRequired} == {"language", "repo_size_category"}


def test_an_event_cannot_be_changed():
    event = from_dict(TaskCompletionEvent, EVENT)
    with pytest.raises(FrozenInstanceError):
        event.retry_count = 3  # type: ignore[misc]  # that is the point
    with pytest.raises(FrozenInstanceError):
        del event.model


@pytest.mark.parametrize(
    "make", [lambda values: from_dict(TaskCompletionEvent, values), lambda values: TaskCompletionEvent(**values)], ids=["from_dict", "direct"]
)
def test_a_list_changed_later_does_not_change_the_event(make):
    run, failed = ["test"], ["lint"]
    event = make({**EVENT, "quality_gates_run": run, "quality_gates_failed": failed})
    before = encode_event(event)
    run.append("build")
    failed.clear()
    assert encode_event(event) == before
    assert event.quality_gates_run == ("test",)
    assert event.quality_gates_failed == ("lint",)


def test_an_event_can_be_a_key():
    one, other = from_dict(TaskCompletionEvent, EVENT), from_dict(TaskCompletionEvent, dict(EVENT))
    assert one == other
    assert len({one, other}) == 1


@pytest.mark.parametrize("travel", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_an_event_travels(travel):
    event = from_dict(TaskCompletionEvent, EVENT)
    assert travel(event) == event
    assert encode_event(travel(event)) == encode_event(event)
    assert type(travel(event).task_type) is type(event.task_type)


@pytest.mark.parametrize("travel", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_a_validation_error_travels_with_its_text(travel):
    values = {**EVENT, "retry_count": 21}
    del values["outcome"]
    with pytest.raises(ValidationError) as caught:
        from_dict(TaskCompletionEvent, values)
    error = caught.value
    got = travel(error)
    assert type(got) is ValidationError
    assert str(got) == str(error)
    assert [(e.field, e.bound) for e in got.errors] == [(e.field, e.bound) for e in error.errors]
    assert [str(e) for e in got.errors] == [str(e) for e in error.errors]


def test_a_validation_error_is_a_value_error_with_its_parts():
    error = ValidationError("Thing", [FieldError("a", 1, "text"), FieldError("b", "x", "a number")])
    assert isinstance(error, ValueError)
    assert str(error) == "Thing: a: 1 is not text; b: 'x' is not a number"
    assert (error.what, len(error.errors)) == ("Thing", 2)
    assert repr(error.errors[0]) == "FieldError(a: 1 is not text)"
