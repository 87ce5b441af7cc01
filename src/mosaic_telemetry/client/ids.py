"""Identity and time of an event."""

from __future__ import annotations

import os
import time

__all__ = ["timestamp_now", "uuid7"]


def uuid7(now_ns: int | None = None, random: bytes | None = None) -> str:
    """A UUID of version 7 (RFC 9562, section 5.7) as text: 48 bits of Unix time in milliseconds, then 74 random bits.

    Time-ordered ids keep the index of whoever stores them local. The random bits come from the operating system for each
    id, so that two processes never share a state, not even after a fork.

    Args:
        now_ns: nanoseconds since 1970, instead of now.
        random: 10 random bytes, instead of fresh ones; their last 74 bits count.
    """
    milliseconds = (time.time_ns() if now_ns is None else now_ns) // 1_000_000 & 0xFFFF_FFFF_FFFF
    noise = (os.urandom(10) if random is None else random).hex()
    variant = "89ab"[int(noise[1], 16) & 3]
    stamp = f"{milliseconds:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{noise[2:5]}-{variant}{noise[5:8]}-{noise[8:]}"


def timestamp_now(now: float | None = None) -> str:
    """A moment as ISO 8601 in UTC with milliseconds, such as `2026-02-07T10:00:00.000Z`; `now` is seconds since 1970."""
    seconds, milliseconds = divmod(int((time.time() if now is None else now) * 1000), 1000)
    global _last  # noqa: PLW0603 - one assignment of one pair: whichever thread wins, the pair is right
    known, text = _last
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(seconds))
        _last = (seconds, text)
    return f"{text}{milliseconds:03}Z"


_last = (-1, "")
"""The newest second that was written, and its text."""
