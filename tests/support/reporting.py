"""What a program that a test starts imports: a client with its settings from the environment, events, and a word to the test.

Standard library only, so that it runs on every interpreter.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from mosaic_telemetry import TaskCompletionEvent, TelemetryClient, TelemetryConfig
from support.events import fields

__all__ = ["forever", "new_client", "say", "track", "wait"]


def new_client(**overrides: Any) -> TelemetryClient:
    return TelemetryClient(TelemetryConfig.from_env(**overrides))


def say(*words: object) -> None:
    """Tell the test, by one write, so that lines of several processes never mix."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def track(client: TelemetryClient, count: int = 1) -> list[TaskCompletionEvent]:
    """Report events, and tell the test of each one whose `track` has returned."""
    events = [client.event_builder.build(**fields()) for _ in range(count)]
    for event in events:
        client.track(event)
        say("id", event.event_id)
    return events


def forever() -> Iterator[None]:
    """Until somebody ends this process; never for longer than a minute, whatever becomes of the test."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        yield
    os._exit(99)


def wait(condition: Callable[[], object], timeout: float = 30.0) -> None:
    """Return when `condition()` is true; end this process when it does not come true."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            say("never came true")
            os._exit(98)
        time.sleep(0.002)
