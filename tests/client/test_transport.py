"""Servers and networks at their worst: every request ends in time, with a line that says why, and nothing is lost."""

import time

import pytest
from support.waiting import wait_for

from mosaic_telemetry import TransportError
from mosaic_telemetry.testing import Answer

ANSWER = b'{"accepted": 1, "rejected": 0, "results": []}'
PROMISED = 5.0
"""Seconds within which a request of 0.3 s is over, on a machine under load."""


def read_request(connection):
    """Read the head and the body of one request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += connection.recv(65_536)


def fails(client, errors, event, *texts):
    client.track(event)
    began = time.monotonic()
    assert not client.flush(20)
    assert time.monotonic() - began < PROMISED
    wait_for(lambda: client.queue_size == 1, what="the event's return to the queue")
    assert [type(error) for error in errors] == [TransportError]
    assert str(errors[0]).isprintable()
    for text in texts:
        assert text in str(errors[0])


def test_a_dead_server(new_client, errors, new_event, dead_url):
    fails(new_client(server_url=dead_url, max_retries=0), errors, new_event(), "refused")


def test_a_server_that_says_nothing(new_client, errors, new_event, black_hole):
    fails(new_client(server_url=black_hole, request_timeout=0.3, max_retries=0), errors, new_event(), "no answer within 0.3 s")


def test_a_server_that_is_slow(new_client, server, errors, new_event):
    server.answer(Answer(status=202, body=ANSWER, delay=30))
    fails(new_client(request_timeout=0.3, max_retries=0), errors, new_event(), "no answer within 0.3 s")


def test_a_server_that_drips_its_body(new_client, server, errors, new_event):
    server.answer(Answer(status=202, body=ANSWER * 100, drip=0.05))
    fails(new_client(request_timeout=0.3, max_retries=0), errors, new_event(), "no answer within 0.3 s")


def test_a_server_that_drips_its_head(new_client, raw_server, errors, new_event):
    def talk(connection, ending):
        read_request(connection)
        while not ending.wait(0.05):
            connection.sendall(b"H")

    fails(new_client(server_url=raw_server(talk), request_timeout=0.3, max_retries=0), errors, new_event(), "no answer within 0.3 s")


def test_a_server_that_drips_headers_for_ever(new_client, raw_server, errors, new_event):
    def talk(connection, ending):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\n")
        while not ending.wait(0.05):
            connection.sendall(b"X: y\r\n")

    fails(new_client(server_url=raw_server(talk), request_timeout=0.3, max_retries=0), errors, new_event())


def test_a_server_that_does_not_read(new_client, raw_server, errors, new_event):
    def talk(_connection, ending):
        ending.wait(20)

    client = new_client(server_url=raw_server(talk), request_timeout=0.3, max_retries=0)
    event = type(new_event())(**{**vars(new_event()), "model": "x" * 20_000_000})
    fails(client, errors, event, "no answer within 0.3 s")


GARBAGE = [
    b"",
    b"\n",
    b"garbage\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 abc OK\r\n\r\n",
    b"HTTP/1.1 99999 OK\r\n\r\n",
    b"HTTP/9.9 202 Accepted\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",  # libraries raise the limit of 100 for the whole process
    b"HTTP/1.1 202 Accepted\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n" + ANSWER,
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_server_that_does_not_speak_http(new_client, raw_server, errors, new_event, garbage):
    def talk(connection, _ending):
        read_request(connection)
        connection.sendall(garbage)

    fails(new_client(server_url=raw_server(talk), request_timeout=3, max_retries=0), errors, new_event())


def test_an_answer_without_end_is_not_read_to_the_end(new_client, raw_server, errors, new_event):
    sent = []

    def talk(connection, ending):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n")
        while not ending.is_set():
            connection.sendall(b" " * 65_536)
            sent.append(65_536)

    fails(new_client(server_url=raw_server(talk), request_timeout=4, max_retries=0), errors, new_event(), "longer than")
    assert sum(sent) < 100_000_000


def test_a_kept_connection_that_the_server_closed_is_opened_anew(new_client, raw_server, errors, new_event):
    def talk(connection, _ending):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))

    client = new_client(server_url=raw_server(talk), max_retries=0)
    client.start()
    for _ in range(3):
        client.track(new_event())
        assert client.flush(5)
    assert errors == []
    assert client.stats.accepted == 3


HALF = len(ANSWER) // 2
CHUNKS = b"%x\r\n%s\r\n%x;ext=1\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (HALF, ANSWER[:HALF], len(ANSWER) - HALF, ANSWER[HALF:])
FORMS = {
    "1.0 without a length": (b"HTTP/1.0 202 Accepted\r\n\r\n", ANSWER),
    "1.0 with a length": (b"HTTP/1.0 202 Accepted\r\nContent-Length: %d\r\n\r\n" % len(ANSWER), ANSWER),
    "close without a length": (b"HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n", ANSWER),
    "close with a length": (b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(ANSWER), ANSWER),
    "after a 100": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n" % len(ANSWER), ANSWER),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNKS),
    "chunked and close": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", CHUNKS),
}


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "head first"])
@pytest.mark.parametrize("form", FORMS)
def test_an_answer_in_every_form_that_http_allows(new_client, raw_server, new_event, form, apart):
    head, body = FORMS[form]

    def talk(connection, ending):
        read_request(connection)
        if apart:
            connection.sendall(head)
            ending.wait(0.05)
            connection.sendall(body)
        else:
            connection.sendall(head + body)

    client = new_client(server_url=raw_server(talk), max_retries=0)
    for _ in range(2):
        client.track(new_event())
        assert client.flush(5), client.stats.last_error
    assert client.stats.last_error is None


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", "http://" + "a" * 70 + ".invalid", "http://..", "http://127.0.0.1:1", "http://пример.invalid"])
def test_an_address_that_leads_nowhere(new_client, errors, new_event, url):
    client = new_client(server_url=url, max_retries=0)
    client.track(new_event())
    assert not client.flush(20)
    assert client.queue_size == 1
    assert [type(error) for error in errors] == [TransportError]


@pytest.mark.parametrize("seconds", [1e300, 1e10])
def test_every_positive_number_of_seconds_is_a_duration(new_client, server, new_event, seconds):
    client = new_client(request_timeout=seconds, submit_interval=seconds, prediction_cache_ttl=seconds)
    client.start()
    client.track(new_event())
    assert client.flush(3)
    assert len(server.events) == 1
    client.track(new_event())
    assert client.flush(seconds)
    assert client.stop(float("inf"))
    assert len(server.events) == 2
