"""When to try again. Pure: the clock and the dice are arguments."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["DEFAULT_RETRY_AFTER", "Hold", "backoff", "parse_retry_after"]

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
DEFAULT_RETRY_AFTER = 5.0
"""Seconds that a 429 without `Retry-After` waits."""


class Hold:
    """How long a server has asked to be left alone: one for all requests of a client, whoever makes them.

    Attributes:
        until: when that time is over, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.until = 0.0

    def extend(self, until: float) -> None:
        """Wait until then at least; a shorter time than the one that runs changes nothing."""
        self.until = max(self.until, until)


def backoff(failures: int, random: Callable[[], float]) -> float:
    """Seconds to wait after the `failures`-th failure in a row: exponential from 1 s to 60 s, with jitter.

    The jitter takes nearly the whole of the delay ("full jitter" of
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that many clients do not come back together;
    a tenth of it is always waited, so that an outage of 15 s sees at most 8 requests, whatever the dice say.

    Args:
        failures: failures in a row, from 1.
        random: a number from 0 to 1, such as `random.random`.
    """
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 16))
    return longest * (0.1 + 0.9 * random())


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from a `Retry-After` header (RFC 9110, section 10.2.3): a number of seconds, or a date.

    Args:
        value: the header's text, or None where there was none.
        now: seconds since 1970.

    Returns:
        Seconds from now, at least 0; None where the header is absent or unreadable.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError, IndexError, TypeError):
            return None
    return min(max(seconds, 0.0), 1e9) if seconds == seconds else None  # noqa: PLR0124 - NaN is the number unlike itself
