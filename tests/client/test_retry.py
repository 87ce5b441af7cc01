"""When to try again."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.client.retry import DEFAULT_RETRY_AFTER, backoff, parse_retry_after

NOW = 1_770_458_400.0


@pytest.mark.parametrize(("failures", "longest"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (1000, 60), (10**9, 60)])
def test_the_delay_doubles_from_one_second_to_sixty(failures, longest):
    assert backoff(failures, lambda: 1.0) == longest
    assert 0 < backoff(failures, lambda: 0.0) < longest


@given(st.integers(1, 100), st.floats(0, 1))
def test_jitter_stays_within_the_delay(failures, dice):
    assert 0 < backoff(failures, lambda: dice) <= min(60.0, 2.0 ** (failures - 1))


def test_the_jitter_is_the_dice():
    assert len({backoff(3, iter([dice / 10]).__next__) for dice in range(10)}) == 10


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("5", 5), (" 5 ", 5), ("1.5", 1.5), ("-3", 0), ("120", 120), ("inf", 1e9), ("1e400", 1e9)])
def test_seconds(text, seconds):
    assert parse_retry_after(text, NOW) == seconds


@pytest.mark.parametrize("seconds", [0, 1, 90, 86_400])
def test_a_date(seconds):
    text = format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds), usegmt=True)
    assert text.endswith("GMT")
    assert parse_retry_after(text, NOW) == pytest.approx(seconds)


def test_a_date_in_the_past_does_not_wait():
    assert parse_retry_after("Sat, 07 Feb 2015 10:00:00 GMT", NOW) == 0


@pytest.mark.parametrize("text", [None, "", "soon", "nan", "5 s", "Sat, 07 Feb", "99 Foo 2026 10:00:00 GMT", "\xff", "Mon, 01 Jan 0001 00:00:00 -0000"])
def test_what_cannot_be_read_says_nothing(text):
    assert parse_retry_after(text, NOW) is None or text == "Mon, 01 Jan 0001 00:00:00 -0000"


@given(st.text() | st.text("0123456789.-+eE naif:,GMTJandFebThu", max_size=40))
def test_no_header_ever_raises(text):
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


def test_a_429_without_a_word_waits_five_seconds():
    assert DEFAULT_RETRY_AFTER == 5.0
