"""What goes wrong while reporting. These reach `on_error` and `stats.last_error`; none is raised by `track`, `flush` or `stop`.

Exception
└── TelemetryError
    ├── TransportError       no answer: refused, reset, timed out, not HTTP
    ├── HTTPStatusError      an answer that is no success; its text is like "HTTP 403: Forbidden"
    ├── AnswerError          a success whose body is not what the contract says
    ├── EventRejectedError   the server does not take one event, and says why
    └── EventDroppedError    events given up here: no room, no valid JSON form, refused on their own
"""

from __future__ import annotations

from mosaic_telemetry.schema.errors import one_line

__all__ = ["AnswerError", "EventDroppedError", "EventRejectedError", "HTTPStatusError", "TelemetryError", "TransportError"]

_TRANSIENT = frozenset({408, 429})


class TelemetryError(Exception):
    """Anything that goes wrong while reporting. It can be pickled, whatever its constructor takes."""

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, self.__dict__)

    transient = False
    """Whether the same request may succeed later."""


class TransportError(TelemetryError):
    """The server could not be reached, or did not answer in time."""

    transient = True


class AnswerError(TelemetryError):
    """The server answered with success, but not with what the contract says; as for a proxy's page, sending again may help."""

    transient = True


class HTTPStatusError(TelemetryError):
    """The server answered with a status that is no success.

    Attributes:
        status: the HTTP status.
        detail: what the server said, as one short line; may be empty.
        retry_after: seconds that the server asks to wait, or None.
    """

    def __init__(self, status: int, detail: str = "", retry_after: float | None = None) -> None:
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.transient = status in _TRANSIENT or status >= 500
        from http import HTTPStatus

        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "unknown status"
        super().__init__(f"HTTP {status}: {phrase}" + (f" ({detail})" if detail else ""))


class EventRejectedError(TelemetryError):
    """The server does not take this event; it is not sent again.

    Attributes:
        event_id: the event's id.
        reason: what the server says.
    """

    def __init__(self, event_id: str, reason: str) -> None:
        self.event_id = event_id
        self.reason = reason
        super().__init__(one_line(f"event {event_id} was rejected: {reason}", 500))


class EventDroppedError(TelemetryError):
    """Events were given up.

    Attributes:
        count: how many.
        reason: why.
    """

    def __init__(self, count: int, reason: str) -> None:
        self.count = count
        self.reason = reason
        super().__init__(one_line(f"{count} event{'s' if count != 1 else ''} dropped: {reason}", 500))


def _restore(cls: type[TelemetryError], args: tuple[object, ...], state: dict[str, object]) -> TelemetryError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error
