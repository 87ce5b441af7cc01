"""From the queue to the server: one batch at a time, each event to its end.

Laws: an event that was drained is settled (accepted, duplicate, rejected, given up and reported) or goes back to the queue;
ids never change, so what is sent twice is counted once; one bad event never keeps its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mosaic_telemetry.client.config import ResolvedConfig
from mosaic_telemetry.client.errors import EventDroppedError, EventRejectedError, HTTPStatusError, TelemetryError, TransportError
from mosaic_telemetry.client.queue import Buffer, QueuedEvent, encode_queued
from mosaic_telemetry.client.stats import Counters
from mosaic_telemetry.client.submitter import BatchSubmitter, SubmitResult, event_id_of
from mosaic_telemetry.schema import ACCEPTED, BatchEventResponse
from mosaic_telemetry.schema.errors import one_line, short_repr

__all__ = ["Delivery"]

_TOO_LARGE = 413
_MALFORMED = frozenset({400, 422})
_FORBIDDEN = 403
_Item = tuple[QueuedEvent, bytes]
"""An event that waits, and its JSON form."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class Delivery:
    """Sends what waits in a buffer. Used by one thread at a time.

    Args:
        config: the settings.
        buffer: where the events wait.
        submitter: what makes the requests.
        counters: what is told how many events came to which end.
        report: what is told of every problem.
    """

    def __init__(
        self,
        config: ResolvedConfig,
        buffer: Buffer,
        submitter: BatchSubmitter,
        counters: Counters,
        report: Callable[[Exception], None],
    ) -> None:
        self._config = config
        self._buffer = buffer
        self._submitter = submitter
        self.counters = counters
        self.report = report
        self._limit = config.batch_size

    def send_batch(self, timeout: float | None) -> tuple[int, SubmitResult | None]:
        """Send one batch from the front of the buffer; what cannot be delivered now goes back to it.

        Args:
            timeout: seconds for a request, where it is less than the configured ones.

        Returns:
            How many events were taken, and how the last request went; 0 and None when nothing waited.
        """
        events = self._buffer.drain(self._limit)
        if not events:
            return 0, None
        pending = self._encoded(events)
        try:
            result = self._send(pending, timeout)
        finally:  # also when something is raised that nobody thought of
            left = [event for part in pending for event, _ in part]
            if left:
                self.give_up(self._buffer.prepend(left), self._buffer.bound)
        return len(events), result

    def _send(self, pending: list[list[_Item]], timeout: float | None) -> SubmitResult:
        """Send parts until none is left or a request fails; `pending` then holds what is not settled."""
        largest, refused = 0, False
        while pending:
            part = pending[0]
            payload = [data for _, data in part]
            self.counters.add("sent", len(part))
            result = self._attempt(payload, timeout)
            if result.response is not None:
                self._buffer.settle([event for event, _ in part])
                del pending[0]
                self._note_verdicts(payload, result.response)
                largest = max(largest, len(part))
                if refused:
                    self._limit = largest  # the next batches fit at once
                continue
            error = result.error
            assert error is not None  # noqa: S101 - without a response there is a reason
            smaller = self._smaller(part, error, proven=bool(largest))
            if smaller is None:
                self.report(error)
                return result
            refused |= isinstance(error, HTTPStatusError) and error.status == _TOO_LARGE
            pending[:1] = smaller
        return SubmitResult(success=True)

    def _attempt(self, payload: Sequence[bytes], timeout: float | None) -> SubmitResult:
        try:
            return self._submitter.attempt(payload, timeout)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a request, its events go back to the queue
            self._submitter.close()
            return SubmitResult(success=False, error=TransportError(one_line(f"{type(error).__name__}: {error}")))

    def close(self) -> None:
        """Give up the connection; the next batch opens another."""
        self._submitter.close()

    def give_up(self, count: int, reason: str) -> None:
        """Count and report events that are given up."""
        if count:
            self.counters.add("dropped", count)
            self.report(EventDroppedError(count, reason))

    def _encoded(self, events: Sequence[QueuedEvent]) -> list[list[_Item]]:
        """The events with their JSON form, as one part; an event that has none is given up alone."""
        part = []
        for event in events:
            try:
                part.append((event, encode_queued(event)))
            except Exception as error:  # noqa: BLE001 - an event made by hand may hold any object at all
                self._buffer.settle([event])
                self.give_up(1, f"it has no JSON form: {short_repr(error)}")
        return [part] if part else []

    def _smaller(self, part: list[_Item], error: TelemetryError, *, proven: bool) -> list[list[_Item]] | None:
        """Smaller parts to try instead of one that was refused as a whole; None where that would not help."""
        if not isinstance(error, HTTPStatusError):
            return None
        if error.status == _FORBIDDEN:
            return self._apart(part, proven=proven)
        if error.status != _TOO_LARGE and error.status not in _MALFORMED:
            return None
        if len(part) == 1:
            self._buffer.settle([part[0][0]])
            self.give_up(1, f"{error}, for event {event_id_of(part[0][1])} alone")
            return []
        half = len(part) // 2
        return [part[:half], part[half:]]

    def _apart(self, part: list[_Item], *, proven: bool) -> list[list[_Item]] | None:
        """Own events apart from those that name another instance: one of these has the whole batch refused.

        They are given up only once it is proven, by own events that were accepted after them, that they are to blame.
        """
        mark = f'"instance_id":"{self._config.instance_id}"'.encode("ascii", "backslashreplace")
        own = [item for item in part if mark in item[1]]
        foreign = [item for item in part if mark not in item[1]]
        if own and foreign:
            return [own, foreign]
        if own or not proven:
            return None
        self._buffer.settle([event for event, _ in foreign])
        self.give_up(len(foreign), "the server refuses them: they name another instance_id than the configuration")
        return []

    def _note_verdicts(self, payload: Sequence[bytes], response: BatchEventResponse) -> None:
        counts = {"accepted": 0, "rejected": 0, "duplicate": 0}
        for data, verdict in zip(payload, response.results, strict=True):
            if verdict.status == ACCEPTED:
                counts["accepted"] += 1
            elif _is_duplicate(verdict.error or ""):
                counts["duplicate"] += 1
            else:
                counts["rejected"] += 1
                self.report(EventRejectedError(verdict.event_id or event_id_of(data), verdict.error or "no reason given"))
        for name, count in counts.items():
            self.counters.add(name, count)


def _is_duplicate(reason: str) -> bool:
    """Whether a rejection says that the server has the event already; what stands in quotes is a value, not a reason."""
    return "duplicate" in _QUOTED.sub("", reason).lower()
