"""The submitter used by hand."""

import pytest

from mosaic_telemetry import BatchSubmitter, HTTPStatusError, SubmitResult, TaskCompletionEvent, TransportError
from mosaic_telemetry.testing import Answer


@pytest.fixture
def submitter(config):
    made = BatchSubmitter(config(max_retries=0))
    yield made
    made.close()


def test_a_batch_that_is_taken(submitter, new_event):
    events = [new_event() for _ in range(3)]
    result = submitter.submit(events)
    assert isinstance(result, SubmitResult)
    assert (result.success, result.error, result.retry_after) == (True, None, None)
    assert (result.response.accepted, result.response.rejected) == (3, 0)
    assert [(one.event_id, one.status) for one in result.response.results] == [(event.event_id, "accepted") for event in events]


def test_a_duplicate_is_rejected_with_its_reason(submitter, new_event):
    event, other = new_event(), new_event()
    assert submitter.submit([event]).success
    result = submitter.submit([event, other])
    assert result.success
    assert [one.status for one in result.response.results] == ["rejected", "accepted"]
    assert "duplicate" in result.response.results[0].error


@pytest.mark.parametrize(("status", "seconds"), [(403, None), (503, None), (429, 5.0)])
def test_a_refusal(submitter, server, new_event, status, seconds):
    server.fail(status)
    result = submitter.submit([new_event()])
    assert (result.success, result.response, result.retry_after) == (False, None, seconds)
    assert isinstance(result.error, HTTPStatusError)
    assert result.error.status == status


@pytest.mark.parametrize("text", ['{"error": "why"}', '{"detail": "why"}', '{"message": "why"}', '{"error": "why", "more": [1]}'])
def test_what_the_server_says_stands_in_the_error(submitter, server, new_event, text):
    server.fail(403, body=text.encode())
    assert str(submitter.submit([new_event()]).error) == "HTTP 403: Forbidden (why)"


BODIES = [b"", b"<html>", b"[]", b"null", b'{"error": 5}', b'{"error": null}', b'{"detail": [{"msg": "x"}]}', b"\xff", b"[" * 100_000]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_that_says_nothing_changes_nothing(submitter, server, new_event, body):
    server.fail(403, body=body)
    assert str(submitter.submit([new_event()]).error) == "HTTP 403: Forbidden"


@pytest.mark.parametrize(
    "body", [b'{"error": "' + b"x" * 5000 + b'"}', b'{"error": "a\\nb\\r\\n\\tc"}', b'{"error": "a\\u001b[31mb\\u0000"}', b'{"error": "\\ud800"}'], ids=range(4)
)
def test_what_the_server_says_becomes_one_short_line(submitter, server, new_event, body):
    server.fail(403, body=body)
    text = str(submitter.submit([new_event()]).error)
    assert text.startswith("HTTP 403: Forbidden (")
    assert text.isprintable()
    assert len(text) < 300


def test_no_server(config, dead_url, new_event):
    result = BatchSubmitter(config(server_url=dead_url, max_retries=0)).submit([new_event()])
    assert not result.success
    assert isinstance(result.error, TransportError)


def test_a_dry_run_answers_as_the_server_would(config, server, new_event):
    events = [new_event() for _ in range(3)]
    result = BatchSubmitter(config(dry_run=True)).submit(events)
    assert result.success
    assert (result.response.accepted, result.response.rejected) == (3, 0)
    assert [(one.event_id, one.status, one.error) for one in result.response.results] == [(event.event_id, "accepted", None) for event in events]
    assert server.requests == []


def test_an_event_without_a_json_form_raises(submitter, new_event):
    with pytest.raises((ValueError, TypeError)):
        submitter.submit([TaskCompletionEvent(**{**vars(new_event()), "model": object()})])


def test_it_works_again_after_close(submitter, server, new_event):
    assert submitter.submit([new_event()]).success
    submitter.close()
    submitter.close()
    assert submitter.submit([new_event()]).success
    assert len(server.events) == 2


def test_the_time_for_a_request_may_be_cut(submitter, server, new_event):
    from mosaic_telemetry.schema import encode_event

    server.answer(Answer(status=202, delay=30))
    result = submitter.attempt([encode_event(new_event())], timeout=0.2)
    assert str(result.error) == "no answer within 0.2 s"
    assert not submitter.attempt([encode_event(new_event())], timeout=0).success
    assert len(server.requests) == 1
