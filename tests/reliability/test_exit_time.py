"""How long we hold up an exit, a `flush` and a `stop`: never longer than promised, whatever the server does."""

import time

import pytest
from support.outages import relay

from mosaic_telemetry.testing import Answer

SLACK = 3.0
"""Seconds over a promised time that a machine under load may take; the time without us is taken off as well."""

CODE = """
    import atexit
    atexit.register(lambda: say("hooks", time.monotonic() - begun))  # runs after ours
    client = new_client({options})
    {start}
    track(client, {count})
    {before}
    begun = time.monotonic()
"""


@pytest.fixture
def urls(server, dead_url, black_hole):
    return {"up": server.url, "dead": dead_url, "black hole": black_hole}


@pytest.mark.parametrize("python", ["3.11", "3.13"], indirect=True)
@pytest.mark.parametrize("started", [True, False], ids=["started", "not started"])
@pytest.mark.parametrize("where", ["up", "dead", "black hole"])
def test_an_exit_is_held_up_for_half_a_second_at_most_and_nothing_is_lost(program, server, urls, deliver_rest, spool, python, where, started):
    promised = {"up": 0.05, "dead": 0.5, "black hole": 0.5}[where]
    code = CODE.format(options="", start="client.start()" if started else "", before="", count=20)
    done = program(code, server_url=urls[where], python=python).end()
    held = next(float(line.split()[1]) for line in done.lines if line.startswith("hooks"))
    assert held < promised + SLACK / 3
    assert done.code == 0
    assert set(server.events) == (set(done.ids) if where == "up" else set())
    if where == "dead":
        with relay(urls["dead"], server.url):  # the server is back, at the address that the spool is for
            assert deliver_rest(server_url=urls["dead"])
        assert set(server.events) == set(done.ids)
    if where == "black hole":
        (left,) = spool.glob("*/*.jsonl")
        assert all(one in left.read_text(encoding="utf-8") for one in done.ids)


def test_a_full_queue_and_a_slow_server_hold_up_no_exit(program, server, deliver_rest):
    server.rule = lambda _: Answer(delay=0.2, process=True, status=503)
    done = program(CODE.format(options="", start="client.start()", before="", count=1000)).end()
    held = next(float(line.split()[1]) for line in done.lines if line.startswith("hooks"))
    assert held < 0.5 + SLACK / 3
    server.rule = None
    assert deliver_rest()
    assert set(server.events) == set(done.ids)


def test_ten_clients_with_dead_servers_share_the_half_second(program, black_hole):
    code = CODE.format(options="", start="more = [new_client(spool_dir=None) for _ in range(10)]; [track(one) for one in more]", before="", count=1)
    done = program(code, server_url=black_hole).end()
    held = next(float(line.split()[1]) for line in done.lines if line.startswith("hooks"))
    assert held < 0.5 + SLACK / 3


@pytest.mark.parametrize("when", ["at rest", "in a request", "in a pause"])
@pytest.mark.parametrize("call", ["flush", "stop"])
@pytest.mark.parametrize("where", ["dead", "black hole"])
def test_flush_and_stop_return_when_they_were_told_to(new_client, new_event, urls, where, call, when):
    client = new_client(server_url=urls[where], request_timeout=1.0)
    client.track(new_event())
    if when == "in a request":
        client.start()
        client.flush(0.05)
    elif when == "in a pause":
        client.start()
        client.flush(0.3)
    for timeout in (0.0, 0.3):
        begun = time.monotonic()
        assert getattr(client, call)(timeout) is False
        assert time.monotonic() - begun < timeout + SLACK
    assert client.queue_size + len(client._queue._taken) == 1


def test_flush_and_stop_return_while_a_server_drips(new_client, new_event, server):
    server.rule = lambda _: Answer(status=202, body=b"x" * 10_000, drip=0.05)
    client = new_client()
    client.track(new_event())
    begun = time.monotonic()
    assert not client.flush(0.3)
    assert not client.stop(0.3)
    assert time.monotonic() - begun < 0.6 + SLACK
