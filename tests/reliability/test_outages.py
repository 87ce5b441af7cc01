"""While a server is away nothing is lost, and it is not stormed: few requests, and none before it says so."""

import time
from itertools import pairwise

import pytest
from support.outages import dead_url, raw_server, relay
from support.waiting import wait_for

from mosaic_telemetry import TaskCompletionEvent
from mosaic_telemetry.testing import Answer

OUTAGE = 4.0
"""Seconds. In 15 s at most 8 requests are promised: with the least of all pauses, 0.1 + 0.2 + … + 6 s, the eighth goes at
12.3 s and the ninth at 18.3 s. In 4 s these are 7."""


@pytest.mark.parametrize("kind", ["500", "429", "503 with Retry-After", "hang up"])
def test_an_outage_and_its_end(new_client, new_event, server, kind):
    begun = time.monotonic()
    answer = {
        "500": Answer(status=500),
        "429": Answer(status=429, headers={"Retry-After": "2"}),
        "503 with Retry-After": Answer(status=503, headers={"Retry-After": "2"}),
        "hang up": Answer(hang_up=True),
    }[kind]
    server.rule = lambda request: answer if request.time - begun < OUTAGE else None
    client = new_client(submit_interval=0.2, max_queue_size=2000)
    client.start()
    events = [new_event() for _ in range(1000)]
    for event in events:
        client.track(event)
    wait_for(lambda: client.stats.accepted == 1000, 60, "the delivery after the outage")
    during = [request.time for request in server.requests if request.time - begun < OUTAGE]
    assert 2 <= len(during) <= 7
    if "Retry-After" in answer.headers:
        assert all(later - earlier >= 2.0 for earlier, later in pairwise(during))
    assert set(server.events) == {event.event_id for event in events}
    assert (client.stats.duplicate, client.stats.dropped, client.queue_size) == (0, 0, 0)
    assert len(server.requests) - len(during) <= 12


def test_a_black_hole_that_opens_again(new_client, new_event, server):
    """The kept connection goes silent, as behind a firewall that forgot it; the request timeout finds out."""
    begun = time.monotonic()
    server.rule = lambda request: Answer(delay=30, hang_up=True) if request.time - begun < 2 else None
    client = new_client(submit_interval=0.2, request_timeout=0.5)
    client.start()
    events = [new_event() for _ in range(150)]
    for event in events:
        client.track(event)
    wait_for(lambda: client.stats.accepted == 150, 60, "the delivery after the outage")
    assert set(server.events) == {event.event_id for event in events}
    assert len([request for request in server.requests if request.time - begun < 2]) <= 4


def test_a_server_that_is_gone_and_comes_back(new_client, new_event, server):
    """Nobody listens; then somebody does, at the same address."""
    url = dead_url()
    client = new_client(server_url=url, submit_interval=0.2)
    client.start()
    events = [new_event() for _ in range(150)]
    for event in events:
        client.track(event)
    wait_for(lambda: client.stats.retried >= 2, 30, "two retries")
    with relay(url, server.url):
        wait_for(lambda: client.stats.accepted == 150, 60, "the delivery")
        assert client.stop(20)
    assert set(server.events) == {event.event_id for event in events}


def test_a_retry_after_holds_back_all_requests_of_all_calls(new_client, new_event, server):
    begun = time.monotonic()
    server.rule = lambda request: Answer(status=429, headers={"Retry-After": "1.5"}) if request.time - begun < 0.2 else None
    client = new_client(submit_interval=0.05, batch_size=5)
    client.start()
    for _ in range(50):
        client.track(new_event())
    wait_for(lambda: server.requests)
    while time.monotonic() - begun < 1.4:
        client.track(new_event())
        client.flush(0.02)
        time.sleep(0.01)
    assert len(server.requests) == 1
    wait_for(lambda: client.queue_size == 0, 30)
    assert server.requests[1].time - server.requests[0].time >= 1.5


def test_a_limit_of_fifty_events_is_found_and_kept_to(new_client, new_event, server):
    server.rule = lambda request: Answer(status=413) if len(request.json["events"]) > 50 else None
    client = new_client()
    events = [new_event() for _ in range(200)]
    for event in events:
        client.track(event)
    assert client.flush(30)
    assert set(server.events) == {event.event_id for event in events}
    assert sum(len(request.json["events"]) > 50 for request in server.requests) == 1
    assert client.stats.dropped == 0


def test_one_bad_event_that_fails_its_whole_batch_costs_no_other(new_client, new_event, server, spool):
    client = new_client()
    events = [new_event() for _ in range(200)]
    bad = events[137].event_id
    server.rule = lambda request: Answer(status=400) if bad.encode() in request.body else None
    for event in events:
        client.track(event)
    assert client.stop(30)
    assert set(server.events) == {event.event_id for event in events} - {bad}
    assert (client.stats.accepted, client.stats.dropped) == (199, 1)
    wait_for(lambda: not list(spool.glob("*/*.jsonl")), what="the removal of the file")


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY"])
@pytest.mark.parametrize("value", ["http://proxy:notaport", "http://[", "::::"])
def test_a_proxy_setting_that_is_none_loses_nothing(program, server, deliver_rest, variable, value):
    code = "client = new_client(max_retries=0); client.start(); track(client, 3); say(client.flush(10)); say(client.queue_size); os._exit(0)"
    done = program(code, options={"env": {variable: value}}).end()
    assert done.lines[-2:] == ["False", "3"]
    assert done.trouble == ""
    assert deliver_rest()
    assert set(server.events) == set(done.ids)


def test_a_server_that_refuses_before_it_has_read_is_understood(new_client, new_event):
    """As proxies do: the answer 413 comes while the body is still on its way, and the connection is closed on it."""
    accepted = []

    def talk(connection):
        head, _, body = connection.recv(1000).partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
        if length > 100_000:
            connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        while len(body) < length:
            body += connection.recv(65_536)
        accepted.append(body.count(b'"event_id"'))
        answer = b'{"accepted": %d, "rejected": 0, "results": []}' % accepted[-1]
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(answer), answer))

    with raw_server(talk) as url:
        client = new_client(server_url=url)
        for _ in range(64):
            client.track(TaskCompletionEvent(**{**vars(new_event()), "model": "x" * 90_000}))
        assert client.flush(20), client.stats.last_error
    assert sum(accepted) == 64
