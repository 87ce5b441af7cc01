"""Numbers as a person reads them."""

import pytest

from mosaic_telemetry import figures

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (59.9 * SECOND, "59.9 s"),
        (59.96 * SECOND, "1 min"),
        (MINUTE + 5 * SECOND, "1 min 5 s"),
        (HOUR - 1, "1 h"),
        (47 * HOUR + 59 * MINUTE, "47 h 59 min"),
        (2 * DAY, "2 d"),
        (291 * DAY + 19 * HOUR, "291 d 19 h"),
    ],
)
def test_a_time(milliseconds, text):
    assert figures.duration(milliseconds) == text


@pytest.mark.parametrize(
    ("micros", "text"),
    [(None, "unknown"), (0, "$0"), (99, "under $0.0001"), (100, "$0.0001"), (99_900, "$0.0999"), (130_000, "$0.13"), (1_234_567_000, "$1,234.57")],
)
def test_money(micros, text):
    assert figures.cost(micros) == text


@pytest.mark.parametrize(
    ("tokens", "text"), [(0, "0"), (950, "950"), (12_345, "12.3k"), (999_400, "999k"), (999_950, "1M"), (4_560_000, "4.56M"), (2_000_000_000_000, "2,000B")]
)
def test_a_number_of_tokens(tokens, text):
    assert figures.count(tokens) == text


def test_a_share():
    assert figures.share(0.755) == "76 %"
