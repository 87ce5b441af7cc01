import json
import re
import uuid

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mosaic_telemetry.engine import BrokenJsonError
from mosaic_telemetry.engine.decode import Bad, Good, decode_batch, decode_event, decode_quickly, epoch_ms, fast_type, id_bytes, parse_json
from mosaic_telemetry.schema import TaskCompletionEvent, ValidationError, encode, from_dict
from mosaic_telemetry.schema.fields import kinds_of
from mosaic_telemetry.server.examples import EXAMPLES

EVENT = EXAMPLES["TaskCompletionEvent"]
FIELDS = [name for name, _ in kinds_of(TaskCompletionEvent)]

oddities = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 101),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("aZ0 -\0\né😀", max_size=101),
    st.sampled_from(["low", "build", "1.0", "a\0b", "\ud800", "2026-02-07T10:00:00z", "2026-02-07 10:00+01:00", "2026-02-07", "20260207T100000Z", "tiny"]),
    st.lists(st.sampled_from(["build", "lint", "x"]), max_size=3),
    st.just({}),
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "unknown"]), oddities, max_size=4), st.sets(st.sampled_from(FIELDS), max_size=2))
@example({"instance_id": EVENT["instance_id"] + "\n"}, set())
@example({"event_id": EVENT["event_id"].replace("-", "")}, set())
@example({"actual_input_tokens": 1.0}, set())
@example({"model": "a\0b"}, set())
@example({"language": "\0"}, set())
@example({"context_utilization_final": 1}, set())
@example({"timestamp": "2026-02-07T10:00:00"}, set())
def test_what_the_fast_decoder_takes_the_schema_takes_with_the_same_values(changes, missing):
    values = {name: value for name, value in {**EVENT, **changes}.items() if name not in missing}
    raw = json.dumps(values).encode()
    quick = decode_quickly(raw)
    batch = decode_batch(b'{"events":[' + raw + b"]}", EVENT["instance_id"])
    try:
        slow = from_dict(TaskCompletionEvent, values)
    except ValidationError:
        slow = None
    decoded = decode_event(raw)
    for fast in [*([quick.fields] if quick else []), *(batch.fields if batch else [])]:
        assert slow is not None
        assert json.loads(msgspec.json.encode(fast)) == json.loads(encode(slow))
    assert isinstance(decoded, Good) == (slow is not None)


def test_an_ordinary_event_goes_the_fast_way():
    assert isinstance(decode_event(json.dumps(EVENT).encode()).fields, fast_type())


def test_an_ordinary_batch_goes_the_fast_way_as_a_whole():
    events = [{**EVENT, "event_id": str(uuid.uuid4()), "timestamp": f"2026-02-07T1{place}:00:00+01:00"} for place in range(3)]
    batch = decode_batch(json.dumps({"events": events}).encode(), EVENT["instance_id"])
    assert batch.ids == [event["event_id"] for event in events]
    assert id_bytes(batch.ids) == [uuid.UUID(event["event_id"]).bytes for event in events]
    assert batch.timestamps_ms == [epoch_ms(event["timestamp"]) for event in events]
    assert [fields.event_id for fields in batch.fields] == batch.ids


@pytest.mark.parametrize("change", [{"instance_id": str(uuid.uuid4())}, {"event_id": "g" * 36}, {"model": "a\0b"}, {"timestamp": "noon"}, {"retry_count": 21}])
def test_a_batch_with_an_event_to_look_at_does_not(change):
    events = [EVENT, {**EVENT, **change}]
    assert decode_batch(json.dumps({"events": events}).encode(), EVENT["instance_id"]) is None


def test_every_bad_field_is_named_with_value_and_bound():
    bad = decode_event(json.dumps({**EVENT, "task_type": "cooking", "retry_count": 21, "model": "", "outcome": None}).encode())
    assert isinstance(bad, Bad)
    assert bad.event_id == EVENT["event_id"]
    assert bad.instance_id == EVENT["instance_id"]
    assert "\n" not in bad.error
    for words in ("task_type: 'cooking' is not one of planning", "retry_count: 21 is not an integer from 0 to 20", "model: ''", "outcome: None"):
        assert words in bad.error


@pytest.mark.parametrize(
    ("raw", "event_id"), [(b"5", ""), (b"null", ""), (b"[]", ""), (b'"x"', ""), (b"{}", ""), (b'{"event_id": 7}', ""), (b'{"event_id": "abc"}', "abc")]
)
def test_what_is_no_event_is_bad_and_its_id_is_given_back_if_it_is_text(raw, event_id):
    bad = decode_event(raw)
    assert isinstance(bad, Bad)
    assert (bad.event_id, bad.instance_id) == (event_id, None)


def test_an_integer_of_thousands_of_digits_is_a_bad_field_and_no_error():
    raw = json.dumps(EVENT).replace('"retry_count": 0', '"retry_count": ' + "9" * 5000)
    assert "retry_count" in decode_event(raw.encode()).error


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"a": NaN}', b"[Infinity]", b"[-Infinity]", b"\xef\xbb\xbf{}", b"[" * 100_000, b"{'a': 1}", b"[1,]"])
def test_what_is_no_json_is_broken_in_one_line(raw):
    with pytest.raises(BrokenJsonError, match=re.compile(r"^the body is not JSON[^\n]*$")):
        parse_json(raw)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-02-07T10:00:00.123Z", 1_770_458_400_123),
        ("2026-02-07T12:00:00+02:00", 1_770_458_400_000),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_times_become_milliseconds_since_1970(text, milliseconds):
    assert epoch_ms(text) == milliseconds
