"""Values made to break whoever looks at them: the verdict is always a `ValidationError` in one line."""

import math
from dataclasses import fields as fields_of
from decimal import Decimal

import pytest
from support.events import fields

from mosaic_telemetry.schema import TaskCompletionEvent, ValidationError, encode_event, from_dict
from mosaic_telemetry.schema.errors import short_repr

EVENT = {
    "instance_id": "0190b2c4-7d3f-4a51-9c2e-3f5a6b7c8d9e",
    "event_id": "0190b2c4-7d3f-7a51-9c2e-3f5a6b7c8d9e",
    "timestamp": "2026-02-07T10:00:00.000Z",
    **fields(),
}
NAMES = [item.name for item in fields_of(TaskCompletionEvent)]


def explode(*_: object, **__: object):
    raise RuntimeError("hostile")


HOSTILE = ("__repr__", "__str__", "__eq__", "__hash__", "__iter__", "__len__", "__bool__", "__index__", "__float__", "__int__", "__format__", "__getattr__")
Hostile = type("Hostile", (), dict.fromkeys(HOSTILE, explode))
HostileText = type("HostileText", (str,), dict.fromkeys(("__repr__", "__str__", "__eq__", "__hash__", "__len__", "__iter__", "__format__", "encode"), explode))
HostileList = type("HostileList", (list,), dict.fromkeys(("__repr__", "__iter__", "__len__", "__eq__"), explode))


class Shapeless:
    @property
    def __class__(self):
        raise RuntimeError("hostile")


class Index:
    """What NumPy's integers are to Python."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Talkative:
    def __repr__(self):
        return "first\nsecond\r\n\tthird\x1b[31m"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [Hostile, Shapeless, HostileList], ids=lambda make: make.__name__)
def test_a_hostile_object_is_a_value_that_does_not_fit(name, make):
    value = make([1]) if make is HostileList else make()
    with pytest.raises(ValidationError) as caught:
        from_dict(TaskCompletionEvent, {**EVENT, name: value})
    assert [error.field for error in caught.value.errors] == [name]
    assert str(caught.value).isprintable()


def test_hostile_text_is_copied_without_running_its_code():
    made = from_dict(TaskCompletionEvent, {**EVENT, "model": HostileText("gpt"), "task_type": HostileText("testing")})
    assert type(made.model) is str
    assert made.model == "gpt"
    assert made.task_type == "testing"
    with pytest.raises(ValidationError, match="model: 'xxx"):
        from_dict(TaskCompletionEvent, {**EVENT, "model": HostileText("x" * 101)})


def test_a_message_is_one_line_whatever_an_object_calls_itself():
    with pytest.raises(ValidationError) as caught:
        from_dict(TaskCompletionEvent, {**EVENT, "model": Talkative(), "retry_count": Talkative()})
    assert str(caught.value).isprintable()
    assert "first" in str(caught.value)


def test_integers_of_other_libraries_are_taken_as_integers():
    made = from_dict(TaskCompletionEvent, {**EVENT, "retry_count": Index(20), "actual_input_tokens": Index(0)})
    assert (made.retry_count, made.actual_input_tokens) == (20, 0)
    assert type(made.retry_count) is int
    with pytest.raises(ValidationError, match="retry_count"):
        from_dict(TaskCompletionEvent, {**EVENT, "retry_count": Index(21)})


def test_numbers_of_other_libraries_are_taken_as_floats():
    made = from_dict(TaskCompletionEvent, {**EVENT, "context_utilization_final": Decimal("0.5")})
    assert made.context_utilization_final == 0.5
    assert type(made.context_utilization_final) is float
    for value in (Decimal("NaN"), Decimal("Infinity"), Decimal("1.01"), math.nan):
        with pytest.raises(ValidationError, match="context_utilization_final"):
            from_dict(TaskCompletionEvent, {**EVENT, "context_utilization_final": value})


@pytest.mark.parametrize("value", [10**5000, -(10**5000), [10**5000], {"a": 10**5000}], ids=["plus", "minus", "list", "map"])
def test_an_integer_too_long_to_print_is_named_all_the_same(value):
    with pytest.raises(ValidationError, match=r"^TaskCompletionEvent: retry_count: .* is not an integer from 0 to 20$"):
        from_dict(TaskCompletionEvent, {**EVENT, "retry_count": value})


def test_a_list_that_holds_itself():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValidationError, match="quality_gates_run"):
        from_dict(TaskCompletionEvent, {**EVENT, "quality_gates_run": loop})


def test_a_set_of_gates_is_put_in_order():
    made = from_dict(TaskCompletionEvent, {**EVENT, "quality_gates_run": {"test", "build", "lint"}})
    assert made.quality_gates_run == ("build", "lint", "test")
    assert b'"quality_gates_run":["build","lint","test"]' in encode_event(made)


@pytest.mark.parametrize("value", ["x" * 10_000_000, list(range(1_000)), "\ud800" * 100, Hostile(), HostileText("x" * 500), b"\0" * 500], ids=range(6))
def test_what_is_shown_of_a_value_is_short(value):
    text = short_repr(value)
    assert len(text) <= 60
    assert text.isprintable()
