"""Laws of the JSON form: encoding and decoding are inverse, and decoding anything at all ends in an object or a `ValidationError`."""

import json
import math
import string
from dataclasses import fields as fields_of

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_telemetry import (
    BatchEventRequest,
    BatchEventResponse,
    BatchPredictionRequest,
    BatchPredictionResponse,
    PredictionQuery,
    PredictionResponse,
    TaskCompletionEvent,
    ValidationError,
)
from mosaic_telemetry.schema import decode, encode, encode_event, from_dict, to_dict
from mosaic_telemetry.schema.fields import (
    Choice,
    Choices,
    Constant,
    Flag,
    Integer,
    ListOf,
    Nested,
    Number,
    NumberMap,
    Optional,
    Text,
    TextMap,
    Timestamp,
    UuidText,
)

WIRE_TYPES = [
    TaskCompletionEvent,
    BatchEventRequest,
    BatchEventResponse,
    PredictionQuery,
    PredictionResponse,
    BatchPredictionRequest,
    BatchPredictionResponse,
]
some = settings(max_examples=40, deadline=None)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def values_of(kind):  # noqa: C901, PLR0911, PLR0912 - one case a kind, side by side
    """Valid values of a kind, in JSON or Python form."""
    match kind:
        case Integer(low, high):
            return st.integers(low, high)
        case Number(low, high):
            return st.floats(low, None if high == math.inf else high, allow_nan=False, allow_infinity=False)
        case Text(longest, shortest):
            return st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=shortest, max_size=min(longest, 120))
        case Flag():
            return st.booleans()
        case Choice(enum):
            return st.sampled_from([*enum, *(member.value for member in enum)])
        case Choices(enum):
            return st.lists(st.sampled_from([*enum, *(member.value for member in enum)]), max_size=8)
        case Constant(value):
            return st.just(value)
        case UuidText():
            return st.uuids().map(str)
        case Timestamp():
            return st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()).filter(_is_a_moment)
        case NumberMap():
            return st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60), max_size=4)
        case TextMap():
            return st.dictionaries(texts, texts | st.none(), max_size=4)
        case Optional(inner):
            return st.none() | values_of(inner)
        case Nested(cls):
            return objects_of(cls)
        case ListOf(inner, shortest, _):
            return st.lists(values_of(inner), min_size=shortest, max_size=shortest + 2)
    raise AssertionError(f"no strategy for {kind}: write one")


def _is_a_moment(text):
    try:
        Timestamp().convert(text)
    except Exception:  # noqa: BLE001 - a zone of seconds, or a year outside 1 to 9999 in UTC
        return False
    return True


def objects_of(cls):
    return st.fixed_dictionaries({item.name: values_of(item.metadata["kind"]) for item in fields_of(cls)}).map(lambda values: from_dict(cls, values))


@pytest.mark.parametrize("cls", WIRE_TYPES, ids=lambda cls: cls.__name__)
@some
@given(data=st.data())
def test_what_is_encoded_decodes_to_an_equal_object(cls, data):
    value = data.draw(objects_of(cls))
    text = encode(value)
    assert decode(cls, text) == value
    assert decode(cls, text.decode()) == value
    assert decode(cls, bytearray(text)) == value
    assert from_dict(cls, to_dict(value)) == value
    assert text.isascii()
    assert b"\n" not in text
    assert encode(decode(cls, text)) == text


@some
@given(objects_of(TaskCompletionEvent))
def test_the_fast_encoder_writes_the_same_bytes(event):
    assert encode_event(event) == encode(event)
    assert list(json.loads(encode_event(event))) == [item.name for item in fields_of(TaskCompletionEvent)]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["success", "test", "1.0", "accepted"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(string.ascii_lowercase + "_", max_size=10), inner, max_size=6),
    max_leaves=15,
)


@pytest.mark.parametrize("cls", WIRE_TYPES, ids=lambda cls: cls.__name__)
@some
@given(data=st.data())
def test_any_json_decodes_or_is_refused(cls, data):
    names = st.sampled_from([item.name for item in fields_of(cls)])
    spoilt = st.builds(lambda good, bad: {**to_dict(good), **bad}, objects_of(cls), st.dictionaries(names, anything, max_size=3))
    value = data.draw(anything | spoilt)
    try:
        made = decode(cls, json.dumps(value))
    except ValidationError as error:
        assert str(error).isprintable()  # noqa: PT017 - either end is right
    else:
        assert isinstance(made, cls)


@some
@given(st.sampled_from(WIRE_TYPES), st.binary(max_size=60) | st.text(max_size=60))
def test_any_bytes_decode_or_are_refused(cls, data):
    try:
        made = decode(cls, data)
    except ValidationError as error:
        assert str(error).isprintable()  # noqa: PT017 - either end is right
    else:
        assert isinstance(made, cls)


@some
@given(objects_of(TaskCompletionEvent), st.data())
def test_a_text_cut_anywhere_is_refused(event, data):
    text = encode_event(event)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ValidationError, match="JSON"):
        decode(TaskCompletionEvent, text[:cut])


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000, b"\xff\xfe\x00", b"", b"NaN", b"Infinity", b'"\\ud800"', b"{}", b"\xef\xbb\xbf{}"]
)
@pytest.mark.parametrize("cls", WIRE_TYPES, ids=lambda cls: cls.__name__)
def test_monstrous_texts_are_refused(cls, text):
    with pytest.raises(ValidationError) as caught:
        decode(cls, text)
    assert str(caught.value).isprintable()


def test_the_last_of_two_values_of_one_name_counts():
    event = decode(PredictionQuery, b'{"task_type":"x","task_type":"testing","model":"m","provider":"openai","complexity":"low"}')
    assert event.task_type == "testing"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_does_not_have_is_not_written(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({"median": value})
