"""From what a caller knows to an event. The builder's straight-line code and the general one must never disagree."""

import string
from dataclasses import fields as fields_of

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.events import fields

from mosaic_telemetry import EventBuilder, QualityGate, TaskCompletionEvent, TaskType, TelemetryConfig, ValidationError
from mosaic_telemetry.schema import decode, encode, encode_event, from_dict

BUILDER = EventBuilder(TelemetryConfig("http://h", "k", "0190b2c4-7d3f-4a51-9c2e-3f5a6b7c8d9e", spool_dir=None))
AUTO = {"instance_id": "0190b2c4-7d3f-4a51-9c2e-3f5a6b7c8d9e", "event_id": "0190b2c4-7d3f-7a51-9c2e-3f5a6b7c8d9e", "timestamp": "2026-02-07T10:00:00.000Z"}
NAMES = sorted(fields())


def test_an_event_has_identity_version_and_time():
    event = BUILDER.build(**fields())
    assert event.instance_id == AUTO["instance_id"]
    assert event.schema_version == "1.0"
    assert event.timestamp.endswith("Z")
    assert from_dict(TaskCompletionEvent, vars(event)) == event
    assert decode(TaskCompletionEvent, encode_event(event)) == event
    assert [*vars(event)] == [item.name for item in fields_of(TaskCompletionEvent)]


def test_texts_become_members_and_lists_tuples():
    event = BUILDER.build(**fields(quality_gates_failed=["lint", QualityGate.TEST]))
    assert event.task_type is TaskType.IMPLEMENTATION
    assert event.quality_gates_failed == (QualityGate.LINT, QualityGate.TEST)
    assert all(type(gate) is QualityGate for gate in event.quality_gates_failed)


def test_optional_fields_may_be_absent():
    values = fields()
    del values["language"], values["repo_size_category"]
    event = BUILDER.build(**values)
    assert (event.language, event.repo_size_category) == (None, None)


def test_a_mapping_and_names_may_be_mixed_and_names_win():
    assert BUILDER.build(fields(), retry_count=3).retry_count == 3
    assert BUILDER.build(fields(retry_count=2)).retry_count == 2


def test_the_lists_of_the_caller_stay_the_callers():
    gates = ["test"]
    values = fields(quality_gates_run=gates)
    event = BUILDER.build(values)
    gates.append("nonsense")
    values["model"] = ""
    assert event.quality_gates_run == ("test",)
    assert event.model == "claude-sonnet-4-5"


@pytest.mark.parametrize("name", ["instance_id", "event_id", "timestamp", "schema_version", "colour", ""])
def test_what_is_no_parameter_is_named(name):
    with pytest.raises(ValidationError, match="is not a field of an event"):
        BUILDER.build(fields(), **{name: "x"})


def test_everything_wrong_is_named_at_once():
    values = fields(model="", retry_count=21, colour="red")
    del values["outcome"], values["harness"]
    with pytest.raises(ValidationError) as caught:
        BUILDER.build(**values)
    assert [error.field for error in caught.value.errors] == ["harness", "model", "outcome", "retry_count", "colour"]


def test_nothing_at_all_names_every_required_field():
    with pytest.raises(ValidationError) as caught:
        BUILDER.build()
    assert len(caught.value.errors) == len(NAMES) - 2


def explode(*_):
    raise RuntimeError("hostile")


Unhashable = type("Unhashable", (), {"__hash__": explode, "__eq__": explode, "__repr__": explode})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: ("test", value)], ids=["bare", "in a list", "in a tuple"])
def test_a_hostile_value_is_one_that_does_not_fit(name, wrap):
    with pytest.raises(ValidationError) as caught:
        BUILDER.build(fields(**{name: wrap(Unhashable())}))
    assert [error.field for error in caught.value.errors] == [name]


near = (
    st.sampled_from([None, True, False, 0, -1, 1, 1.0, 0.5, -0.0, 20, 21, 50, 51, 100, 101, 86_400_000, 10_000_001, 10**400, "", "x" * 30, "x" * 31, "é" * 100])
    | st.sampled_from(
        ["test", "success", "low", "custom", "tiny", ["test"], ("build", "lint"), [QualityGate.TEST], ["nope"], [[]], {}, {"lint"}, TaskType.TESTING]
    )
    | st.floats()
    | st.integers()
    | st.text(string.printable + "é\0\ud800", max_size=5)
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*NAMES, "colour"]), near, max_size=4), st.sets(st.sampled_from(NAMES), max_size=1))
def test_the_builder_decides_as_the_schema_does(changes, absent):
    values = {name: value for name, value in fields(**changes).items() if name not in absent}
    try:
        expected = from_dict(TaskCompletionEvent, {**AUTO, **values})
        errors = []
    except ValidationError as error:
        errors = [str(one) for one in error.errors]
    if "colour" in values:
        errors.append(f"colour: {values['colour']!r}")
    try:
        event = BUILDER.build(values)
    except ValidationError as error:
        got = [str(one) for one in error.errors]
        assert [text for text in got if not text.startswith("colour")] == [text for text in errors if not text.startswith("colour")]
        assert len(got) == len(errors)
        return
    assert errors == []
    mine, theirs = vars(event) | AUTO, vars(expected)
    assert mine == theirs
    assert {name: type(value) for name, value in mine.items()} == {name: type(value) for name, value in theirs.items()}
    assert encode_event(event) == encode(event)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), near, max_size=3))
def test_an_event_made_by_hand_is_written_alike_or_refused_alike_by_both_encoders(changes):
    event = TaskCompletionEvent(**{**AUTO, **fields(**changes)})
    outcomes = []
    for write in (encode, encode_event):
        try:
            outcomes.append(write(event))
        except (ValueError, TypeError) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]
