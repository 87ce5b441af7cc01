"""Untrusted values, spans of activity, lines of a file, and the event of a task."""

import gzip
import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.transcripts import INSTANCE, Heard

from mosaic_telemetry.collectors import ModelCall, Note, Task, event_id, to_event
from mosaic_telemetry.collectors.activity import Spans
from mosaic_telemetry.collectors.reading import LONGEST_LINE, read_records
from mosaic_telemetry.collectors.untrusted import MAX_CALL_TOKENS, as_count, as_list, as_mapping, as_moment, as_text
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import MAX_COST_MICROS, MAX_TOKENS, Complexity, Harness, Outcome, Provider, QualityGate, TaskType, ValidationError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150)
@given(ANYTHING)
def test_any_value_becomes_a_harmless_one(value):
    count = as_count(value)
    assert type(count) is int
    assert 0 <= count <= MAX_CALL_TOKENS
    as_text(value).encode()
    assert "\0" not in as_text(value)
    assert hasattr(as_mapping(value), "items")
    assert all(True for _ in as_list(value))
    moment = as_moment(value)
    assert moment is None or 1_577_836_800_000 <= moment < 4_102_444_800_000


@pytest.mark.parametrize(
    ("value", "count"), [(5, 5), (5.0, 5), (None, 0), (True, 0), (-1, 0), (10**18, 0), (float("nan"), 0), (float("inf"), 0), ("5", 0), ([5], 0), (0.5, 0)]
)
def test_counts(value, count):
    assert as_count(value) == count


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-01T09:00:00.000Z", 1_772_355_600_000),
        ("2026-03-01T10:00:00+01:00", 1_772_355_600_000),
        ("2026-03-01T09:00:00", 1_772_355_600_000),
        ("9999-12-31T23:59:59-14:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (1_772_355_600_000, None),
    ],
)
def test_moments(value, moment):
    assert as_moment(value) == moment


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


@settings(max_examples=150)
@given(SPANS, SPANS)
def test_time_at_work_is_the_union_of_its_spans(one, other):
    covered = {moment for start, end in one + other for moment in range(start, end)}
    spans, more = Spans(), Spans()
    for start, end in one:
        spans.add(start, end)
    for start, end in other:
        more.add(start, end)
    spans.update(more)
    assert spans.total == len(covered)
    spans.update(spans)
    assert spans.total == len(covered)


def read(path):
    heard = Heard()
    return list(read_records(path, heard)), heard


def test_bad_lines_are_named_and_their_neighbours_kept(tmp_path):
    path = tmp_path / "s.jsonl"
    lines = [b'{"a":1}', b"", b"[1]", b"nonsense", b'{"b":"\xff"}', b"[" * 100_000, b'{"n":' + b"9" * 5000 + b"}", b'{"c":2}', b'{"d":"\xc3']
    path.write_bytes(b"\n".join(lines))
    records, heard = read(path)
    assert records == [(1, {"a": 1}), (8, {"c": 2})]
    assert [(skipped.line, skipped.reason.split(" ")[0]) for skipped in heard.skipped] == [
        (3, "not"),
        (4, "not"),
        (5, "not"),
        (6, "nested"),
        (7, "not"),
        (9, "not"),
    ]
    assert "UTF-8" in heard.skipped[-1].reason
    assert str(heard.skipped[0]) == f"{path}:3: not a JSON object but list"
    assert heard.read == path.stat().st_size


def test_a_half_written_last_line_is_said_to_be_one(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text('{"a":1}\n{"b":')
    records, heard = read(path)
    assert records == [(1, {"a": 1})]
    assert heard.skipped[0].reason.startswith("half-written")


def test_a_line_without_an_end_is_skipped_in_bounded_memory(tmp_path):
    path = tmp_path / "s.jsonl"
    with path.open("wb") as file:
        file.write(b'{"a":"')
        file.seek(LONGEST_LINE + 1000)
        file.write(b'"}\n{"b":1}\n')
    records, heard = read(path)
    assert records == [(2, {"b": 1})]
    assert "longer than" in heard.skipped[0].reason


def test_gzipped_lines_are_read_up_to_where_they_are_damaged(tmp_path):
    text = "".join(json.dumps({"n": n, "text": uuid.UUID(int=n * 7**30 % 2**128).hex}) + "\n" for n in range(5000))
    packed = gzip.compress(text.encode())
    whole, cut, junk = (tmp_path / name for name in ("whole.jsonl.gz", "cut.jsonl.gz", "junk.jsonl.gz"))
    whole.write_bytes(packed)
    cut.write_bytes(packed[: len(packed) // 2])
    junk.write_bytes(b"no gzip at all")
    assert len(read(whole)[0]) == 5000
    records, heard = read(cut)
    assert 0 < len(records) < 5000
    assert len(heard.skipped) == 1
    assert read(junk)[0] == []


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    records, heard = read(tmp_path / "gone.jsonl")
    assert records == []
    assert "No such file" in str(heard.skipped[0])


def task(**changes):
    call = ModelCall(id="msg_1", model="claude-sonnet-4-5", usage=TokenUsage(uncached_input=1000, output=100), at_ms=1_772_355_600_000)
    values = {
        "identity": "3b0f0f2e",
        "harness": Harness.CLAUDE_CODE,
        "session": "s",
        "started_ms": 1_772_355_600_123,
        "ended_ms": 1_772_355_660_456,
        "active_ms": 60_000,
        "calls": (call,),
        "model": "claude-sonnet-4-5",
        "provider": Provider.ANTHROPIC,
        "task_type": TaskType.TESTING,
        "complexity": Complexity.LOW,
        "gates": {QualityGate.TEST: True, QualityGate.LINT: False},
        "outcome": Outcome.PARTIAL,
        "compactions": 0,
        "context_utilization": 0.5,
        "language": "python",
        "notes": frozenset[Note](),
    }
    return Task(**(values | changes))


def test_the_event_of_a_task():
    converted = to_event(task(), INSTANCE)
    event = converted.event
    assert converted.clamped == ()
    assert (event.timestamp, event.task_duration_ms) == ("2026-03-01T09:01:00.456Z", 60_000)
    assert (event.actual_input_tokens, event.actual_output_tokens, event.actual_cost_usd_micros) == (1000, 100, 4500)
    assert (event.quality_gates_run, event.quality_gates_failed, event.quality_gate_passed) == (("lint", "test"), ("lint",), False)
    assert (event.estimated_input_tokens, event.estimated_cost_usd_micros, event.retry_count, event.context_rotations) == (0, 0, 0, 0)


def test_an_id_is_a_uuid_of_version_7_that_begins_with_the_start_of_the_task():
    identifier = uuid.UUID(event_id(task()))
    assert identifier.version == 7
    assert identifier.variant == uuid.RFC_4122
    assert identifier.int >> 80 == 1_772_355_600_123
    assert event_id(task()) == event_id(task(model="another", session="elsewhere"))
    assert event_id(task()) != event_id(task(identity="3b0f0f2f"))
    assert event_id(task()) < event_id(task(started_ms=1_772_355_600_124))


def test_what_exceeds_a_bound_is_cut_and_said_while_the_cost_stays_true():
    usage = TokenUsage(cache_read=12_000_000)
    calls = tuple(ModelCall(id=f"m{n}", model="claude-sonnet-4-5", usage=usage, at_ms=1_772_355_600_000) for n in range(2))
    converted = to_event(task(calls=calls, active_ms=90_000_000, compactions=101), INSTANCE)
    assert converted.clamped == ("task_duration_ms", "actual_input_tokens", "context_compactions")
    assert converted.event.actual_input_tokens == MAX_TOKENS
    assert converted.event.actual_cost_usd_micros == 2 * 7_200_000
    dear = tuple(ModelCall(id=f"m{n}", model="claude-opus-4-1", usage=TokenUsage(output=1_000_000)) for n in range(2))
    assert to_event(task(calls=dear), INSTANCE).event.actual_cost_usd_micros == MAX_COST_MICROS


def test_an_unknown_price_travels_as_zero():
    call = ModelCall(id="m", model="house-model", usage=TokenUsage(output=10), at_ms=int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000))
    priced = task().calls[0]
    assert task(calls=(priced, call)).price().micros is None
    assert to_event(task(calls=(priced, call)), INSTANCE).event.actual_cost_usd_micros == 0


def test_an_instance_that_is_no_uuid_is_refused():
    with pytest.raises(ValidationError, match="instance_id"):
        to_event(task(), "me")
