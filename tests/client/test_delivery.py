"""From the queue to the server: batches, order, verdicts, and one bad event among good ones."""

import json
import threading

import pytest

from mosaic_telemetry import EventDroppedError, EventRejectedError, HTTPStatusError, TaskCompletionEvent
from mosaic_telemetry._version import __version__
from mosaic_telemetry.testing import Answer, LocalServer


def sizes(server):
    return [len(request.json["events"]) for request in server.requests]


@pytest.mark.parametrize(("batch_size", "expected"), [(100, [100, 100, 50]), (1000, [100, 100, 50]), (7, [7, 7, 6]), (1, [1, 1, 1])])
def test_events_go_in_batches_in_their_order(new_client, server, new_event, batch_size, expected):
    client = new_client(batch_size=batch_size)
    events = [new_event() for _ in range(sum(expected))]
    for event in events:
        client.track(event)
    assert client.flush(20)
    assert sizes(server) == expected
    assert list(server.events) == [event.event_id for event in events]
    assert client.queue_size == 0


def test_what_a_request_looks_like(new_client, server, new_event):
    client = new_client(api_key="a key")
    server.api_key = "a key"
    event = new_event()
    client.track(event)
    assert client.flush(10)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/events/batch")
    assert request.headers["authorization"] == "Bearer a key"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"mosaic-telemetry-client-python/{__version__}"
    assert request.headers["host"] == server.url.removeprefix("http://")
    assert list(request.json) == ["events"]
    assert request.json["events"] == [json.loads(json.dumps(vars(event)))]


@pytest.mark.parametrize(("suffix", "path"), [("", ""), ("/", ""), ("///", ""), ("/base", "/base"), ("/base/", "/base"), ("/a/b//", "/a/b")])
def test_slashes_at_the_end_of_the_url_make_no_difference(new_client, server, new_event, suffix, path):
    client = new_client(server_url=server.url + suffix)
    client.track(new_event())
    assert client.flush(10)
    assert server.requests[0].path == f"{path}/v1/events/batch"


def test_one_connection_carries_many_requests(new_client, server, new_event):
    client = new_client(batch_size=1)
    client.start()
    for _ in range(5):
        client.track(new_event())
    before = threading.active_count()
    assert client.flush(10)
    assert len(server.requests) == 5
    assert threading.active_count() - before <= 2, "the server has one thread for each connection"


def test_a_failed_batch_goes_back_to_the_front(new_client, server, new_event):
    client = new_client(batch_size=2, max_retries=0)
    events = [new_event() for _ in range(5)]
    for event in events:
        client.track(event)
    server.fail(503)
    assert not client.flush(10)
    assert client.queue_size == 5
    assert server.events == {}
    assert client.flush(10)
    assert list(server.events) == [event.event_id for event in events]


def test_the_oldest_goes_when_the_queue_is_full_and_is_counted_and_told_once(new_client, server, errors, new_event):
    client = new_client(max_queue_size=3)
    events = [new_event() for _ in range(8)]
    for event in events:
        client.track(event)
    assert (client.queue_size, client.stats.dropped) == (3, 5)
    assert [type(error) for error in errors] == [EventDroppedError]
    assert client.flush(10)
    assert list(server.events) == [event.event_id for event in events[5:]]


def test_a_failed_batch_without_room_keeps_its_first_and_never_costs_a_newer_event(new_client, server, errors, new_event):
    client = new_client(max_queue_size=4, max_retries=0)
    old, new = [new_event() for _ in range(4)], [new_event() for _ in range(3)]
    for event in old:
        client.track(event)

    def overtake(_request):
        server.rule = None
        for event in new:
            client.track(event)
        return Answer(status=503)

    server.rule = overtake
    assert not client.flush(10)
    assert (client.queue_size, client.stats.dropped) == (4, 3)
    assert any(isinstance(error, EventDroppedError) and error.count == 3 for error in errors)
    assert client.flush(10)
    assert list(server.events) == [old[0].event_id, *(event.event_id for event in new)]


def test_a_queue_of_no_size_drops_and_counts_every_event(new_client, server, new_event):
    client = new_client(max_queue_size=0)
    with client:
        for _ in range(3):
            client.track(new_event())
        assert (client.queue_size, client.stats.dropped) == (0, 3)
        assert client.flush(10)
    assert server.requests == []


def test_duplicates_count_as_delivered(client, server, errors, new_event):
    event = new_event()
    for _ in range(3):
        client.track(event)
    assert client.flush(10)
    assert (client.stats.accepted, client.stats.duplicate, client.stats.rejected, client.stats.queued) == (1, 2, 0, 0)
    assert errors == []
    assert client.flush(10)
    assert len(server.requests) == 1


@pytest.mark.parametrize("reason", ["retry_count: 21 is not an integer from 0 to 20", None, ""])
def test_a_rejected_event_is_reported_once_with_its_reason_and_never_sent_again(new_client, server, errors, new_event, reason):
    client = new_client()
    events = [new_event() for _ in range(3)]
    for event in events:
        client.track(event)
    bad = events[1].event_id

    def verdicts(request):
        results = [
            {"event_id": event["event_id"], **({"status": "rejected", "error": reason} if event["event_id"] == bad else {"status": "accepted", "error": None})}
            for event in request.json["events"]
        ]
        return Answer(status=202, body=json.dumps({"accepted": 2, "rejected": 1, "results": results}).encode())

    server.rule = verdicts
    assert client.flush(10)
    assert [type(error) for error in errors] == [EventRejectedError]
    assert errors[0].event_id == bad
    assert bad in str(errors[0])
    assert reason is None or reason in str(errors[0])
    assert (client.stats.accepted, client.stats.rejected, client.stats.dropped) == (2, 1, 0)
    assert client.flush(10)
    assert client.stop(10)
    assert len(server.requests) == 1
    assert len(errors) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("place", [0, 57, 99])
def test_one_poisoned_event_among_a_hundred_is_found_by_halving(new_client, server, new_event, status, place):
    errors: list[Exception] = []
    client = new_client(on_error=errors.append)
    events = [new_event() for _ in range(100)]
    for event in events:
        client.track(event)
    poison = events[place].event_id
    server.rule = lambda request: Answer(status=status) if poison.encode() in request.body else None
    assert client.flush(20)
    assert list(server.events) == [event.event_id for event in events if event.event_id != poison]
    assert (client.stats.accepted, client.stats.dropped, client.stats.queued) == (99, 1, 0)
    assert [type(error) for error in errors] == [EventDroppedError]
    assert poison in str(errors[0])
    assert f"HTTP {status}" in str(errors[0])
    assert len(server.requests) <= 15
    assert client.flush(10)
    assert len(server.requests) <= 15


def test_three_poisoned_events_are_found(new_client, server, errors, new_event):
    client = new_client()
    events = [new_event() for _ in range(100)]
    for event in events:
        client.track(event)
    poison = {events[place].event_id for place in (3, 4, 90)}
    server.rule = lambda request: Answer(status=422) if any(one.encode() in request.body for one in poison) else None
    assert client.flush(20)
    assert set(server.events) == {event.event_id for event in events} - poison
    assert client.stats.dropped == len(errors) == 3


def test_one_event_too_large_does_not_make_all_later_batches_small(new_client, server, new_event):
    client = new_client()
    events = [new_event() for _ in range(200)]
    poison = events[50].event_id
    server.rule = lambda request: Answer(status=413) if poison.encode() in request.body else None
    for event in events[:100]:
        client.track(event)
    assert client.flush(20)
    before = len(server.requests)
    for event in events[100:]:
        client.track(event)
    assert client.flush(20)
    assert len(server.events) == 199
    assert len(server.requests) - before <= 10


def test_a_failure_amid_halving_loses_nothing(new_client, server, new_event):
    client = new_client(max_retries=0)
    events = [new_event() for _ in range(8)]
    for event in events:
        client.track(event)
    poison = events[6].event_id
    answers = iter([None, None, Answer(status=503)])

    def rule(request):
        if poison.encode() in request.body and len(request.json["events"]) > 1:
            return Answer(status=422)
        return next(answers, None) if poison.encode() not in request.body else Answer(status=503)

    server.rule = rule
    assert not client.flush(10)
    assert set(server.events) | {event.event_id for event in events[4:]} == {event.event_id for event in events}
    server.rule = None
    assert client.flush(10)
    assert set(server.events) == {event.event_id for event in events}
    assert client.stats.dropped == 0


def test_an_event_of_another_instance_does_not_keep_its_neighbours(client, server, errors, new_event):
    foreign = TaskCompletionEvent(**{**vars(new_event()), "instance_id": "11111111-1111-4111-8111-111111111111"})
    for event in (new_event(), foreign, new_event()):
        client.track(event)
    assert client.flush(10)
    assert len(server.events) == 2
    assert (client.stats.accepted, client.stats.dropped) == (2, 1)
    assert "instance_id" in str(errors[-1])


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 301])
def test_a_permanent_answer_is_not_retried_and_the_events_stay(new_client, server, errors, new_event, status):
    client = new_client()
    events = [new_event() for _ in range(3)]
    for event in events:
        client.track(event)
    server.fail(status, body=b'{"error": "because\\nof this"}')
    assert not client.flush(10)
    assert len(server.requests) == 1
    assert (client.queue_size, client.stats.retried, client.stats.dropped) == (3, 0, 0)
    assert [type(error) for error in errors] == [HTTPStatusError]
    assert str(errors[0]) == f"{HTTPStatusError(status)} (because of this)"
    assert client.stats.last_error == str(errors[0])
    assert client.flush(10), "a flush tries at once, whatever happened before"
    assert list(server.events) == [event.event_id for event in events]


def test_a_wrong_key_is_told_and_loses_nothing(new_client, server, errors, new_event):
    client = new_client(api_key="wrong")
    client.track(new_event())
    assert not client.flush(10)
    assert client.queue_size == 1
    assert str(errors[0]).startswith("HTTP 401: Unauthorized")
    assert "wrong" not in str(errors[0])
    assert server.events == {}


@pytest.mark.parametrize("key", ["ü" * 64, "ключ", "🔑"])
def test_a_key_that_no_header_can_hold_loses_nothing(new_client, errors, new_event, key):
    client = new_client(api_key=key, max_retries=0)
    client.track(new_event())
    assert not client.flush(10)
    assert client.queue_size == 1
    assert len(errors) == 1
    assert str(errors[0]).isprintable()


def test_the_counters(new_client, server, new_event):
    client = new_client(batch_size=2, max_retries=1, max_queue_size=4)
    assert client.stats == type(client.stats)()
    for _ in range(5):
        client.track(new_event())
    assert (client.stats.queued, client.stats.dropped) == (4, 1)
    server.fail(503)
    assert client.flush(10)
    stats = client.stats
    assert (stats.queued, stats.sent, stats.accepted, stats.rejected, stats.duplicate, stats.dropped, stats.retried) == (0, 6, 4, 0, 0, 1, 1)
    assert stats.last_error == "HTTP 503: Service Unavailable"


def test_bodies_are_compressed_only_for_a_server_that_says_it_takes_them(new_client, new_event):
    with LocalServer(accept_gzip=True) as server:
        client = new_client(server_url=server.url, batch_size=50)
        for _ in range(100):
            client.track(new_event())
        assert client.flush(10)
        assert [request.headers.get("content-encoding") for request in server.requests] == [None, "gzip"]
        assert len(server.events) == 100


def test_a_value_that_is_called_duplicate_is_no_duplicate(new_client, server, errors, new_event):
    event = new_event()
    body = json.dumps(
        {"accepted": 0, "rejected": 1, "results": [{"event_id": event.event_id, "status": "rejected", "error": "model: 'duplicate-finder' is not allowed"}]}
    )
    server.answer(Answer(status=202, body=body.encode()))
    client = new_client()
    client.track(event)
    assert client.flush(10)
    assert (client.stats.duplicate, client.stats.rejected) == (0, 1)
    assert "duplicate-finder" in str(errors[0])
