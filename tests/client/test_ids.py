"""Identity and time of an event."""

import re
import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.client.ids import timestamp_now, uuid7

MOMENTS = st.integers(0, 2**48 * 1_000_000 - 1)


@given(MOMENTS, st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7(now_ns, random):
    text = uuid7(now_ns, random)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == now_ns // 1_000_000


@given(MOMENTS, MOMENTS, st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_of_different_milliseconds_are_in_the_order_of_time(one, other, random, noise):
    one, other = sorted((one, other))
    if one // 1_000_000 < other // 1_000_000:
        assert uuid7(one, random) < uuid7(other, noise)


def test_74_bits_are_random():
    ids = {uuid7(0, (1 << bit).to_bytes(10, "big")) for bit in range(80)}
    assert len(ids - {uuid7(0, bytes(10))}) == 74


def test_ids_are_unique():
    assert len({uuid7() for _ in range(20_000)}) == 20_000
    assert len({uuid7(0) for _ in range(20_000)}) == 20_000


def test_an_id_holds_the_present():
    before = datetime.now(UTC).timestamp() * 1000
    moment = uuid.UUID(uuid7()).int >> 80
    assert before - 1 <= moment <= datetime.now(UTC).timestamp() * 1000 + 1


@given(st.floats(0, 4e9))
def test_a_timestamp_is_iso_8601_in_utc_with_milliseconds(now):
    text = timestamp_now(now)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert abs(datetime.fromisoformat(text).timestamp() - now) <= 0.001


def test_the_timestamp_of_the_contract():
    assert timestamp_now(1_770_458_400) == "2026-02-07T10:00:00.000Z"


def test_a_timestamp_is_the_present():
    assert abs((datetime.now(UTC) - datetime.fromisoformat(timestamp_now())).total_seconds()) < 5
