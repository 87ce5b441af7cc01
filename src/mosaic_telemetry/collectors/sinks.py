"""Where events go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import Protocol, TypeAlias, TypeVar

from mosaic_telemetry.client import EventRejectedError, TelemetryClient, TelemetryConfig
from mosaic_telemetry.schema import TaskCompletionEvent

__all__ = ["Delivery", "Progress", "ServerSink", "Sink", "wait_for"]

_SECONDS = 60.0
_SECONDS_PER_EVENT = 0.05
_LOOK_S = 0.2

T = TypeVar("T")


Progress: TypeAlias = Callable[[int, int], object]
"""Is told how much is done, and of how much."""


def _untold(_done: int, _all: int) -> None:
    """Tells nobody how far it is."""


def wait_for(work: Callable[[], T], look: Callable[[], object]) -> T:
    """What the work returns, which is done in a thread, while this one looks after it now and then; Ctrl-C leaves the work behind."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            done.set_exception(error)

    Thread(target=run, daemon=True).start()
    while wait([done], _LOOK_S).not_done:
        look()
    return done.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of the events.

    Attributes:
        accepted: events that are new there.
        known: events that were there already.
        rejected: reason to number of events refused for it.
        undelivered: events that could not be delivered.
        error: why that is, as one line; empty where all were.
    """

    accepted: int = 0
    known: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    undelivered: int = 0
    error: str = ""

    @property
    def complete(self) -> bool:
        """Whether every event is there now."""
        return not self.rejected and not self.undelivered


class Sink(Protocol):
    """Takes events: a server, or a database on this machine."""

    @property
    def name(self) -> str:
        """What a person knows it as, such as its URL."""

    def deliver(self, events: Sequence[TaskCompletionEvent], progress: Progress = _untold) -> Delivery:
        """Hand the events over and wait until they are there, or are known not to be.

        Args:
            events: what to hand over.
            progress: called now and then with how many of them were handed over, and how many there are.
        """


class ServerSink:
    """A server, reached by the SDK.

    Args:
        server_url: where it is.
        api_key: key of the instance.
        instance_id: which installation reports.

    Raises:
        ValidationError: naming every argument that does not fit.
    """

    def __init__(self, server_url: str, api_key: str, instance_id: str) -> None:
        self.name = server_url
        self._settings = (server_url, api_key, instance_id)
        TelemetryConfig(*self._settings)

    def deliver(self, events: Sequence[TaskCompletionEvent], progress: Progress = _untold) -> Delivery:
        """Send the events in batches; waits a minute, and longer for very many."""
        problems: list[Exception] = []
        # In memory only: what is not delivered is collected again the next time, under the same ids.
        url, key, instance = self._settings
        config = TelemetryConfig.from_env(
            server_url=url, api_key=key, instance_id=instance, max_queue_size=max(1, len(events)), on_error=problems.append, spool_dir=None
        )
        client = TelemetryClient(config)
        if not client.config.enabled:
            return Delivery(undelivered=len(events), error="telemetry is switched off by DO_NOT_TRACK or MOSAIC_TELEMETRY_ENABLED, so nothing was sent")
        for event in events:
            client.track(event)
        wait_for(partial(client.flush, _SECONDS + _SECONDS_PER_EVENT * len(events)), lambda: progress(len(events) - client.queue_size, len(events)))
        stats = client.stats
        client.stop(0.5)
        rejected = Counter(problem.reason for problem in problems if isinstance(problem, EventRejectedError))
        undelivered = len(events) - stats.accepted - stats.duplicate - rejected.total()
        reasons = [str(problem) for problem in problems if not isinstance(problem, EventRejectedError)]
        error = (reasons[-1] if reasons else "no answer in time") if undelivered else ""
        return Delivery(accepted=stats.accepted, known=stats.duplicate, rejected=dict(rejected), undelivered=undelivered, error=error)
