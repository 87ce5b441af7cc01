"""What is tried again, when, and how often."""

import json
import time

import pytest
from support.waiting import wait_for

from mosaic_telemetry import BatchSubmitter, EventQueue, resolve_config
from mosaic_telemetry.client.delivery import Delivery
from mosaic_telemetry.client.reporting import Reporter
from mosaic_telemetry.client.retry import Hold
from mosaic_telemetry.client.stats import Counters
from mosaic_telemetry.client.worker import FlushRequest, Worker
from mosaic_telemetry.testing import Answer


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
def test_a_passing_failure_is_tried_again(new_client, server, errors, new_event, status):
    client = new_client(max_retries=1)
    client.track(new_event())
    server.fail(status)
    assert client.flush(20)
    assert len(server.requests) == 2
    assert client.stats.retried == 1
    assert [str(error).split(":")[0] for error in errors] == [f"HTTP {status}"]


HANG_UP = Answer(hang_up=True)
STRANGE = [
    Answer(status=202, body=b""),
    Answer(status=202, body=b"<html>Welcome to the hotel network</html>"),
    Answer(status=202, body=b'{"accepted": 1'),
    Answer(status=202, body=b"null"),
    Answer(status=202, body=b"[]"),
    Answer(status=202, body=b'{"accepted": 1, "rejected": 0, "results": 5}'),
    Answer(status=202, body=b'{"accepted": 0, "rejected": 0, "results": []}'),
    Answer(status=202, body=json.dumps({"accepted": 2, "rejected": 0, "results": [{"event_id": "x", "status": "accepted"}] * 2}).encode()),
    Answer(status=202, body=b'{"accepted": 1, "rejected": 0, "results": [{"event_id": 5}]}'),
    Answer(status=202, body=b'{"accepted": Infinity, "rejected": 0, "results": []}'),
    Answer(status=202, body=b'{"accepted": 1e999, "rejected": NaN, "results": [null]}'),
    Answer(status=202, body=b"[" * 100_000),
    Answer(status=202, body=b"\xff\xfe\x00\x01"),
    Answer(status=204),
]


@pytest.mark.parametrize("answer", [HANG_UP, *STRANGE], ids=["hang up", *range(len(STRANGE))])
def test_an_answer_that_is_none_loses_nothing(new_client, server, errors, new_event, answer):
    client = new_client(max_retries=0)
    client.track(new_event())
    server.answer(answer)
    assert not client.flush(3)
    assert client.queue_size == 1
    assert len(errors) == 1
    assert str(errors[0]).isprintable()
    assert len(str(errors[0])) < 400
    assert client.flush(3)
    assert len(server.events) == 1


def test_a_success_without_verdicts_counts_for_all(client, server, new_event):
    for _ in range(3):
        client.track(new_event())
    server.answer(Answer(status=202, body=b'{"accepted": 3, "rejected": 0, "results": []}'))
    assert client.flush(5)
    assert client.stats.accepted == 3


def test_an_answer_that_got_lost_is_made_good_by_the_id(new_client, server, new_event):
    client = new_client(max_retries=1)
    for _ in range(3):
        client.track(new_event())
    server.answer(Answer(hang_up=True, process=True))
    assert client.flush(10)
    assert len(server.events) == 3
    assert (client.stats.accepted, client.stats.duplicate, client.stats.queued) == (0, 3, 0)


def test_retries_end(new_client, server, new_event):
    client = new_client(max_retries=2)
    client.track(new_event())
    server.fail(503, times=10)
    assert not client.flush(20)
    assert len(server.requests) == 3
    assert (client.queue_size, client.stats.retried, client.stats.sent) == (1, 2, 3)


def test_no_retries_when_none_are_wanted(new_client, server, new_event):
    client = new_client(max_retries=0)
    client.track(new_event())
    server.fail(503)
    assert not client.flush(20)
    assert len(server.requests) == 1


def test_three_retries_by_default_with_growing_pauses(config, server, new_event):
    pauses = []
    submitter = BatchSubmitter(config(), sleep=pauses.append)
    server.fail(503, times=10)
    result = submitter.submit([new_event()])
    submitter.close()
    assert not result.success
    assert str(result.error) == "HTTP 503: Service Unavailable"
    assert len(server.requests) == 4
    assert len(pauses) == 3
    assert all(0 < pause <= longest for pause, longest in zip(pauses, (1, 2, 4), strict=True))


def test_429_waits_what_the_server_says_and_is_reported(new_client, server, errors, new_event):
    client = new_client(max_retries=1)
    client.track(new_event())
    server.fail(429, headers={"Retry-After": "2"})
    assert client.flush(20)
    first, second = server.requests
    assert second.time - first.time >= 2.0
    assert [str(error) for error in errors] == ["HTTP 429: Too Many Requests"]
    assert client.stats.retried == 1


def test_a_retry_after_holds_back_even_a_flush_but_not_for_longer_than_it_says(new_client, server, new_event):
    client = new_client(max_retries=0)
    client.track(new_event())
    server.fail(429, headers={"Retry-After": "1"})
    assert not client.flush(0.5)
    assert not client.flush(0.05)
    assert len(server.requests) == 1
    assert client.flush(20)
    assert server.requests[1].time - server.requests[0].time >= 1.0


def test_a_retry_after_of_any_answer_holds_back(new_client, server, new_event):
    client = new_client(max_retries=0)
    client.track(new_event())
    server.fail(503, headers={"Retry-After": "1"})
    assert not client.flush(5)
    assert client.flush(20)
    assert server.requests[1].time - server.requests[0].time >= 1.0


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}])
def test_429_without_a_word_waits_five_seconds(config, server, new_event, headers):
    pauses = []
    submitter = BatchSubmitter(config(max_retries=1), sleep=pauses.append)
    server.fail(429, headers=headers)
    assert submitter.submit([new_event()]).success
    submitter.close()
    assert pauses == [5.0]


def test_a_flush_does_not_wait_for_a_retry_after_beyond_its_time(new_client, server, new_event):
    client = new_client()
    client.track(new_event())
    server.fail(429)
    began = time.monotonic()
    assert not client.flush(2)
    assert time.monotonic() - began < 4.5
    assert client.queue_size == 1


def test_the_pause_that_a_server_can_ask_for_is_bounded(config, server, new_event):
    pauses = []
    submitter = BatchSubmitter(config(max_retries=1, max_retry_after=7), sleep=pauses.append)
    server.fail(429, headers={"Retry-After": "99999"})
    assert submitter.submit([new_event()]).success
    submitter.close()
    assert pauses == [7]


def test_after_a_flush_that_went_well_the_background_sends_at_once_again(new_client, server, new_event):
    client = new_client(batch_size=2, max_retries=0)
    client.start()
    client.track(new_event())
    server.fail(403)
    assert not client.flush(5)
    assert client.flush(5)
    for _ in range(2):
        client.track(new_event())
    wait_for(lambda: len(server.events) == 3, 5, "the delivery of a full batch")


def test_a_full_batch_does_not_hammer_a_server_that_fails(new_client, server, new_event):
    client = new_client(batch_size=1, max_retries=0)
    client.start()
    server.fail(401, times=1000)
    for _ in range(200):
        client.track(new_event())
    wait_for(lambda: server.requests)
    client.track(new_event())
    assert not client.stop(5)
    assert len(server.requests) <= 5


def test_a_permanent_refusal_is_asked_ever_more_seldom_told_once_and_loses_nothing(config, server, new_event, caplog):
    """A wrong key: nothing but a person helps, so the background waits a minute, then two, and so on."""
    told, waits = [], []
    resolved = resolve_config(config(on_error=told.append, submit_interval=0.01))
    queue = EventQueue()
    delivery = Delivery(resolved, queue, BatchSubmitter(resolved), Counters(), Reporter(resolved.on_error, Counters()))
    worker = Worker(resolved, queue, delivery, Hold())
    server.fail(401, times=3)
    event = new_event()
    queue.enqueue(event)
    for _ in range(3):
        before = time.monotonic()
        worker.flush(request := FlushRequest(before + 20))
        assert not request.wait(20)
        waits.append(worker._earliest() - before)
    assert [pytest.approx(wait, abs=15) for wait in (60, 120, 240)] == waits
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    worker.flush(request := FlushRequest(time.monotonic() + 20))
    assert request.wait(20)
    assert list(server.events) == [event.event_id]
