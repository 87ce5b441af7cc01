"""Every field of every wire type a caller fills in: what fits, what does not, and what is said of it. Driven by the fields' metadata."""

import json
import math
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction

import pytest
from support.events import fields

from mosaic_telemetry import EventBuilder, TelemetryConfig
from mosaic_telemetry.schema import BatchEventRequest, BatchPredictionRequest, PredictionQuery, TaskCompletionEvent, ValidationError, from_dict, to_dict
from mosaic_telemetry.schema.fields import Choice, Choices, Constant, Flag, Integer, Number, Optional, Text, Timestamp, UuidText

EVENT = {
    "instance_id": "0190b2c4-7d3f-4a51-9c2e-3f5a6b7c8d9e",
    "event_id": "0190b2c4-7d3f-7a51-9c2e-3f5a6b7c8d9e",
    "schema_version": "1.0",
    "timestamp": "2026-02-07T10:00:00.000Z",
    **fields(),
}
QUERY = {"task_type": "testing", "model": "m", "provider": "openai", "complexity": "low"}
WHOLE = {TaskCompletionEvent: EVENT, PredictionQuery: QUERY}


class Other(StrEnum):
    """An enum that is none of the contract's."""

    NOPE = "nope"


def fitting(kind):  # noqa: C901, PLR0911 - one case a kind, side by side
    """Values at and just inside the bounds of `kind`."""
    match kind:
        case Integer(low, high):
            return [low, low + 1, high - 1, high]
        case Number(low, high):
            return [low, math.nextafter(low, math.inf), math.nextafter(high, -math.inf), high, int(low), Fraction(1, 2)]
        case Text(longest, shortest):
            return ["x" * shortest, "x" * (shortest + 1), "x" * (longest - 1), "x" * longest, "é" * longest, "🦀" * longest]
        case Flag():
            return [True, False]
        case Choice(enum):
            return [*enum, *(member.value for member in enum)]
        case Choices(enum):
            return [[], (), list(enum), tuple(enum), [member.value for member in enum], [*enum, *enum]]
        case Constant(value):
            return [value]
        case UuidText():
            return ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-FFFF-ffff-FFFFFFFFFFFF", EVENT["event_id"]]
        case Timestamp():
            return ["2026-02-07T10:00:00Z", "2026-02-07T10:00:00.123456+02:00", "2026-02-07T10:00:00-11:30", "2026-02-07 10:00:00Z", "20260207T100000Z"]
        case Optional(inner):
            return [None, *fitting(inner)]
    raise AssertionError(f"no values for {kind}: say here what fits")


def unfitting(kind):  # noqa: C901, PLR0911 - one case a kind, side by side
    """Values just outside the bounds of `kind`, and of other types."""
    foreign = [object(), b"x", {}, {"a": 1}, math.nan]
    match kind:
        case Integer(low, high):
            return [*foreign, None, low - 1, high + 1, -(2**64), 10**400, True, False, 1.0, "1", "", math.inf, [1]]
        case Number(low, high):
            outside = [math.nextafter(low, -math.inf), math.nextafter(high, math.inf), low - 1, high + 1, 10**400]
            return [*foreign, None, *outside, True, False, "0.5", b"0.5", math.inf, -math.inf, 1j, [0.5]]
        case Text(longest, shortest):
            return [*foreign, None, *([""] if shortest else []), "x" * (longest + 1), "🦀" * (longest + 1), "x" * 1_000_000, 5, ["x"], "\ud800", "a\0b"]
        case Flag():
            return [*foreign, None, 0, 1, 0.0, "true", "false", "", []]
        case Choice(enum):
            upper = next(iter(enum)).value.upper()
            return [*foreign, None, upper, f" {next(iter(enum))}", "", "nope", Other.NOPE, 0, True, "\ud800", "a\0b", enum, [next(iter(enum))]]
        case Choices(enum):
            return [*foreign, None, "", next(iter(enum)), "nope", ["nope"], [*enum, "nope"], [None], [[]], ["\ud800"], iter(enum), 0, True]
        case Constant(value):
            return [*foreign, None, "", value + " ", "2.0", 1.0, 1, True]
        case UuidText():
            good = EVENT["event_id"]
            return [*foreign, None, "", "x", good[:-1], good + "0", good.replace("-", ""), f"{{{good}}}", f"urn:uuid:{good}", good[:-1] + "g", good + "\n", 5]
        case Timestamp():
            texts = [
                "",
                "yesterday",
                "2026-02-07T10:00:00",
                "2026-02-07",
                "2026-13-07T10:00:00Z",
                "2026-02-07T25:00:00Z",
                "0001-01-01T00:00:00+23:59",
                "1770458400",
            ]
            return [*foreign, None, *texts, datetime.now(UTC), 1_770_458_400]
        case Optional(inner):
            return [value for value in unfitting(inner) if value is not None]
    raise AssertionError(f"no values for {kind}: say here what does not fit")


every_field = pytest.mark.parametrize(("cls", "item"), [pytest.param(cls, item, id=f"{cls.__name__}.{item.name}") for cls in WHOLE for item in fields_of(cls)])


@every_field
def test_a_value_within_the_bounds_is_taken(cls, item):
    for value in fitting(item.metadata["kind"]):
        got = getattr(from_dict(cls, {**WHOLE[cls], item.name: value}), item.name)
        assert got == (tuple(value) if isinstance(value, list) else value)
        assert json.loads(json.dumps(to_dict(got))) == to_dict(got)


@every_field
def test_a_value_outside_the_bounds_is_named_with_its_bound_in_one_line(cls, item):
    for value in unfitting(item.metadata["kind"]):
        with pytest.raises(ValidationError) as caught:
            from_dict(cls, {**WHOLE[cls], item.name: value})
        (error,) = caught.value.errors
        assert error.field == item.name
        assert error.value is value
        text = str(caught.value)
        assert text.startswith(f"{cls.__name__}: {item.name}: ")
        assert text.endswith(f" is not {item.metadata['kind'].bound}")
        assert text.isprintable()
        assert len(text) < 400


PARAMETERS = [item for item in fields_of(TaskCompletionEvent) if not item.metadata["auto"]]


@pytest.mark.parametrize("item", PARAMETERS, ids=lambda item: item.name)
def test_the_builder_has_the_same_bounds(item):
    builder = EventBuilder(TelemetryConfig("http://h", "k", EVENT["instance_id"], spool_dir=None))
    for value in fitting(item.metadata["kind"]):
        got = getattr(builder.build(fields(**{item.name: value})), item.name)
        expected = getattr(from_dict(TaskCompletionEvent, {**EVENT, item.name: value}), item.name)
        assert (got, type(got)) == (expected, type(expected))
    for value in unfitting(item.metadata["kind"]):
        with pytest.raises(ValidationError) as caught:
            builder.build(fields(**{item.name: value}))
        assert [error.field for error in caught.value.errors] == [item.name]


INTEGER_BOUNDS = {
    "task_duration_ms": 86_400_000,
    "estimated_input_tokens": 10_000_000,
    "estimated_output_tokens": 10_000_000,
    "actual_input_tokens": 10_000_000,
    "actual_output_tokens": 10_000_000,
    "estimated_cost_usd_micros": 100_000_000,
    "actual_cost_usd_micros": 100_000_000,
    "context_compactions": 100,
    "context_rotations": 50,
    "retry_count": 20,
}


def test_the_metadata_holds_the_bounds_of_the_contract():
    kinds = {item.name: item.metadata["kind"] for item in fields_of(TaskCompletionEvent)}
    assert {name: kind for name, kind in kinds.items() if isinstance(kind, Integer)} == {name: Integer(0, high) for name, high in INTEGER_BOUNDS.items()}
    assert kinds["context_utilization_final"] == Number(0.0, 1.0)
    assert kinds["model"] == Text(100, shortest=1)
    assert kinds["language"] == Optional(Text(30))
    assert kinds["schema_version"] == Constant("1.0")


def test_every_field_says_what_it_means():
    for cls in WHOLE:
        for item in fields_of(cls):
            assert item.metadata["doc"], item.name
            assert not isinstance(item.metadata["kind"], Integer) or item.metadata["unit"], item.name


def test_all_bad_fields_are_named_at_once_in_the_order_of_the_fields():
    bad = {
        "event_id": "nope",
        "task_duration_ms": -1,
        "model": "",
        "provider": "me",
        "actual_input_tokens": True,
        "context_utilization_final": math.nan,
        "quality_gates_run": ["test", "vibes"],
        "language": "x" * 31,
    }
    values = {**EVENT, **bad}
    del values["outcome"]
    with pytest.raises(ValidationError) as caught:
        from_dict(TaskCompletionEvent, values)
    order = [item.name for item in fields_of(TaskCompletionEvent) if item.name in bad or item.name == "outcome"]
    assert [error.field for error in caught.value.errors] == order
    text = str(caught.value)
    assert "\n" not in text
    for part in (
        "task_duration_ms: -1 is not an integer from 0 to 86,400,000",
        "model: '' is not text of 1 to 100 characters",
        "provider: 'me' is not one of anthropic, openai, openrouter, ollama, google, mistral, custom, unknown",
        "actual_input_tokens: True is not an integer from 0 to 10,000,000",
        "context_utilization_final: nan is not a number from 0.0 to 1.0",
        "quality_gates_run: ['test', 'vibes'] is not a list of build, lint, test, coverage, typecheck, security",
        "outcome: missing (want one of success, failure, partial, timeout)",
    ):
        assert part in text


@pytest.mark.parametrize("name", sorted(EVENT))
def test_only_optional_fields_may_be_absent(name):
    values = {key: value for key, value in EVENT.items() if key != name}
    if name in {"schema_version", "language", "repo_size_category"}:
        made = from_dict(TaskCompletionEvent, values)
        assert getattr(made, name) == ("1.0" if name == "schema_version" else None)
    else:
        with pytest.raises(ValidationError, match=f"^TaskCompletionEvent: {name}: missing"):
            from_dict(TaskCompletionEvent, values)


def test_unknown_names_are_passed_over():
    assert from_dict(TaskCompletionEvent, {**EVENT, "colour": "red", "": 1}) == from_dict(TaskCompletionEvent, EVENT)


@pytest.mark.parametrize("value", [None, [], "x", 5, [EVENT], object(), iter(())], ids=lambda value: type(value).__name__)
def test_what_is_no_object_is_said_to_be_none(value):
    with pytest.raises(ValidationError, match=r"^TaskCompletionEvent: object: .* is not an object$"):
        from_dict(TaskCompletionEvent, value)


def test_there_is_no_rule_across_fields():
    made = from_dict(TaskCompletionEvent, {**EVENT, "quality_gates_failed": ["security"], "quality_gates_run": [], "outcome": "success"})
    assert made.quality_gate_passed
    assert made.quality_gates_failed == ("security",)


def test_a_batch_says_which_event_is_wrong_and_where():
    with pytest.raises(ValidationError) as caught:
        from_dict(BatchEventRequest, {"events": [EVENT, {**EVENT, "retry_count": 21, "model": ""}, 5]})
    assert [error.field for error in caught.value.errors] == ["events[1].model", "events[1].retry_count", "events[2]"]


@pytest.mark.parametrize(("count", "fits"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_batch_holds_1_to_100_events(count, fits):
    if fits:
        assert len(from_dict(BatchEventRequest, {"events": [EVENT] * count}).events) == count
    else:
        with pytest.raises(ValidationError, match=r"events: .* is not a list of 1 to 100"):
            from_dict(BatchEventRequest, {"events": [EVENT] * count})


@pytest.mark.parametrize(("count", "fits"), [(0, False), (1, True), (50, True), (51, False)])
def test_a_batch_holds_1_to_50_queries(count, fits):
    if fits:
        assert len(from_dict(BatchPredictionRequest, {"queries": [QUERY] * count}).queries) == count
    else:
        with pytest.raises(ValidationError, match=r"queries: .* is not a list of 1 to 50"):
            from_dict(BatchPredictionRequest, {"queries": [QUERY] * count})
