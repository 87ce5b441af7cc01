"""Clients that dawdle, babble or never come to the point: each gets an answer or an end, and holds nobody else up."""

import contextlib
import json
import re
import socket
import time
from urllib.parse import urlsplit

import pytest
from support.server import ServerProcess

# Deadlines that a test can wait for.
OPTIONS = ("--header-seconds", "0.5", "--body-seconds", "0.7", "--answer-seconds", "1", "--connections", "20")


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("slow") / "telemetry.db", *OPTIONS) as server:
        yield urlsplit(server.url).port


@contextlib.contextmanager
def connected(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        yield sock


def answer(sock):
    """(status, headers, JSON) of an answer after which the server closes; (None, ...) where it closes without one."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65536):
            data += chunk
    if not data:
        return None, {}, None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(re.split(": ?", line.lower(), maxsplit=1) for line in lines)
    return int(first.split()[1]), headers, json.loads(body)


def drip(sock, data, pause=0.05, seconds=15):
    """Send a byte now and then until the server answers or ends it; whether it did."""
    deadline = time.monotonic() + seconds
    for place in range(len(data)):
        try:
            sock.send(data[place : place + 1])
        except OSError:
            return True
        sock.settimeout(pause)
        with contextlib.suppress(TimeoutError):
            sock.recv(1, socket.MSG_PEEK)
            sock.settimeout(20)
            return True
        if time.monotonic() > deadline:
            return False
    raise AssertionError("there was nothing left to send")


def test_headers_that_drip_in_are_cut_off_with_an_answer(port):
    with connected(port) as sock:
        assert drip(sock, b"GET /healthz HTTP/1.1\r\nX-Long: " + b"a" * 1000)
        status, headers, body = answer(sock)
    assert status == 408
    assert headers["connection"] == "close"
    assert "headers" in body["error"]


def test_empty_lines_without_end_are_no_way_around_it(port):
    with connected(port) as sock:
        assert drip(sock, b"\r\n" * 500)


def test_a_connection_that_never_asks_is_closed(port):
    with connected(port) as sock:
        assert answer(sock)[0] is None


def test_an_idle_connection_after_a_request_is_closed_too(port):
    with connected(port) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(sock)[0] == 200


def test_a_body_that_drips_in_is_cut_off_with_an_answer(port):
    with connected(port) as sock:
        sock.sendall(b"POST /v1/predictions/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert drip(sock, b"x" * 999)
        status, headers, body = answer(sock)
    assert status == 408
    assert headers["connection"] == "close"
    assert "body" in body["error"]


@pytest.mark.parametrize("head", [b"POST /v1/events/batch HTTP/1.1\r\n", b"GET /nowhere HTTP/1.1\r\n"])
def test_a_body_that_nobody_reads_may_not_drip_for_ever_either(port, head):
    """The request is answered at once (401, 404); what still comes is thrown away, for so long."""
    with connected(port) as sock:
        sock.sendall(head + b"Host: x\r\nContent-Length: 1000\r\n\r\n")
        assert sock.recv(12) in {b"HTTP/1.1 401", b"HTTP/1.1 404"}
        sock.recv(65536)
        assert drip(sock, b"x" * 999)


def test_a_chunked_body_that_drips_in_is_cut_off(port):
    with connected(port) as sock:
        sock.sendall(b"POST /v1/predictions/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert drip(sock, b"1\r\nx\r\n" * 300)
        assert answer(sock)[0] == 408


def test_headers_that_are_too_large_get_an_answer_whole_or_in_part(port):
    large = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * 40_000
    for text in (large + b"\r\n\r\n", large, large * 10, b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n"):
        with connected(port) as sock:
            with contextlib.suppress(ConnectionError):
                sock.sendall(text)
            status, headers, body = answer(sock)
        assert status == 431
        assert headers["connection"] == "close"
        assert "larger than" in body["error"]


def test_many_headers_below_the_limit_are_fine(port):
    with connected(port) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n")
        assert answer(sock)[0] == 200


def test_what_is_no_http_is_told_so_in_the_form_of_the_api(port):
    with connected(port) as sock:
        sock.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        status, headers, body = answer(sock)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert list(body) == ["error"]


def test_a_client_that_does_not_read_its_answers_is_cut_off(port):
    request = b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        deadline = time.monotonic() + 20
        with pytest.raises((ConnectionError, BrokenPipeError)):  # noqa: PT012 - until it is cut off
            while time.monotonic() < deadline:
                with contextlib.suppress(TimeoutError):
                    sock.sendall(request)
                time.sleep(0.01)


def test_a_connection_too_many_is_refused_and_room_is_made_again(port):
    with contextlib.ExitStack() as stack:
        first = [stack.enter_context(connected(port)) for _ in range(20)]
        status, headers, body = answer(stack.enter_context(connected(port)))
        assert status == 503
        assert int(headers["retry-after"]) >= 1
        assert "connections" in body["error"]
        for sock in first:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answer(sock)[0] == 200
    deadline = time.monotonic() + 20
    while True:
        with connected(port) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            if answer(sock)[0] == 200:
                return
        assert time.monotonic() < deadline


def test_others_are_served_while_some_dawdle(port):
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(connected(port)).sendall(b"POST /v1/predictions/batch HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        with connected(port) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answer(sock)[0] == 200
