"""The errors that reach `on_error`: their text, and that they travel between processes."""

import copy
import pickle

import pytest

from mosaic_telemetry import AnswerError, EventDroppedError, EventRejectedError, HTTPStatusError, TelemetryError, TransportError

ERRORS = [
    TransportError("no answer within 10 s"),
    AnswerError("unreadable answer"),
    HTTPStatusError(403, "no such instance"),
    HTTPStatusError(429, retry_after=5.0),
    EventRejectedError("0190b2c4", "model: '' is not text"),
    EventDroppedError(3, "the queue is full"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("travel", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_an_error_travels_with_its_parts(travel, error):
    got = travel(error)
    assert type(got) is type(error)
    assert str(got) == str(error)
    assert vars(got) == vars(error)


def test_every_error_is_a_telemetry_error():
    assert all(isinstance(error, TelemetryError) for error in ERRORS)


@pytest.mark.parametrize(
    ("status", "text"),
    [(403, "HTTP 403: Forbidden"), (401, "HTTP 401: Unauthorized"), (429, "HTTP 429: Too Many Requests"), (503, "HTTP 503: Service Unavailable")],
)
def test_the_text_of_a_status(status, text):
    assert str(HTTPStatusError(status)) == text
    assert str(HTTPStatusError(status, "why")) == f"{text} (why)"


def test_an_unknown_status_has_a_text():
    assert str(HTTPStatusError(599)).startswith("HTTP 599: ")


@pytest.mark.parametrize(
    ("status", "transient"), [(408, True), (429, True), (500, True), (503, True), (599, True), (301, False), (400, False), (401, False), (404, False)]
)
def test_which_answers_may_pass(status, transient):
    assert HTTPStatusError(status).transient is transient


def test_the_text_counts():
    assert str(EventDroppedError(1, "why")) == "1 event dropped: why"
    assert str(EventDroppedError(2, "why")) == "2 events dropped: why"
