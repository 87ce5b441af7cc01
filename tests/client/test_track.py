"""`track`: never raises, whatever it is given and whatever `on_error` does, and what stands beside it arrives."""

import copy
import logging
import math
import threading

import pytest
from support.events import fields

from mosaic_telemetry import EventDroppedError, EventRejectedError, TaskCompletionEvent, ValidationError


def explode(*_: object, **__: object):
    raise RuntimeError("hostile")


Hostile = type("Hostile", (), dict.fromkeys(("__repr__", "__str__", "__eq__", "__hash__", "__iter__", "__len__", "__bool__", "__getattr__"), explode))


class Shapeless:
    @property
    def __class__(self):
        raise RuntimeError("hostile")


loop: list[object] = []
loop.append(loop)
NO_EVENTS = [None, 5, "event", b"{}", {}, fields(), [], object(), TaskCompletionEvent, Hostile(), Shapeless(), math.nan, loop]


@pytest.mark.parametrize("number", range(len(NO_EVENTS)))  # pytest itself looks at a parameter, which a hostile one does not stand
def test_what_is_no_event_is_reported_and_its_neighbours_arrive(client, server, errors, new_event, number):
    client.track(new_event())
    client.track(NO_EVENTS[number])
    client.track(new_event())
    assert client.flush(10)
    assert len(server.events) == 2
    assert len(errors) == 1
    assert str(errors[0]).isprintable()


BAD_VALUES = [object(), {"a": {2}}, math.nan, (loop,), Hostile(), b"x", 1j, print, TaskCompletionEvent]


@pytest.mark.parametrize("name", ["model", "retry_count", "quality_gates_run", "outcome", "context_utilization_final"])
def test_an_event_without_a_json_form_is_dropped_alone(client, server, errors, new_event, name):
    good = [new_event() for _ in range(len(BAD_VALUES) + 1)]
    client.track(good[0])
    for event, value in zip(good[1:], BAD_VALUES, strict=True):
        client.track(TaskCompletionEvent(**{**vars(new_event()), "event_id": "bad", name: value}))
        client.track(event)
    assert client.flush(10)
    assert set(server.events) == {event.event_id for event in good}
    assert (client.stats.accepted, client.stats.dropped, client.stats.queued) == (len(good), len(BAD_VALUES), 0)
    assert [type(error) for error in errors] == [EventDroppedError] * len(BAD_VALUES)


@pytest.mark.parametrize("changes", [{"model": "\ud800"}, {"model": "x" * 1_000_000}, {"retry_count": 10**30}, {"language": "\0\n\u2028"}, {"event_id": ""}])
def test_an_event_that_only_the_server_can_judge_goes_to_it(client, server, errors, new_event, changes):
    good = new_event()
    client.track(TaskCompletionEvent(**{**vars(new_event()), **changes}))
    client.track(good)
    assert client.flush(10)
    assert list(server.events) == [good.event_id]
    assert (client.stats.accepted, client.stats.rejected) == (1, 1)
    assert [type(error) for error in errors] == [EventRejectedError]
    assert next(iter(changes)) in str(errors[0])


@pytest.mark.parametrize("kind", [ValueError, KeyError, RecursionError, MemoryError, StopIteration, UnicodeError])
def test_a_handler_that_raises_does_no_harm(new_client, server, new_event, kind):
    def handler(_error):
        raise kind

    client = new_client(on_error=handler, max_retries=0)
    client.track("nasty")
    client.track(new_event())
    server.fail(403)
    assert not client.flush(10)
    assert client.flush(10)
    assert len(server.events) == 1
    client.track(new_event())
    assert client.stop(10)
    assert len(server.events) == 2


def test_a_handler_that_ends_its_thread_does_no_harm(new_client, server, new_event):
    def handler(_error):
        raise SystemExit  # what sys.exit() does

    client = new_client(on_error=handler, max_retries=0)
    client.track(new_event())
    server.fail(403)
    assert not client.flush(2)
    assert client.queue_size == 1
    assert client.flush(3)
    assert len(server.events) == 1


def test_a_handler_that_tracks_does_no_harm(new_client, server, new_event):
    clients = []
    client = new_client(on_error=lambda _error: clients[0].track(new_event()), max_retries=0)
    clients.append(client)
    client.track("nasty")
    client.track(new_event())
    server.fail(403)
    assert not client.flush(10)
    assert client.queue_size == 3
    assert client.flush(10)
    assert len(server.events) == 3


def test_a_handler_that_tracks_what_is_reported_again_ends(new_client):
    clients, calls = [], []

    def handler(error):
        calls.append(error)
        clients[0].track("nasty again")

    clients.append(new_client(on_error=handler))
    clients[0].track("nasty")
    assert len(calls) == 1


@pytest.mark.parametrize("call", ["stop", "flush"])
def test_a_handler_may_stop_or_flush_the_client_without_holding_it_up(new_client, server, new_event, call):
    clients, returned = [], threading.Event()

    def handler(_error):
        getattr(clients[0], call)()
        returned.set()

    clients.append(new_client(on_error=handler, max_retries=0))
    clients[0].track(new_event())
    server.fail(401)
    clients[0].flush(2)
    assert returned.wait(2), f"{call}() within on_error waits for the very thread that it runs in"


def test_a_problem_is_logged_once_a_minute(client, caplog):
    with caplog.at_level(logging.WARNING, "mosaic_telemetry"):
        for _ in range(5):
            client.track(None)
    assert len(caplog.records) == 1
    assert "None is not a TaskCompletionEvent" in caplog.text
    assert client.stats.last_error is not None


def test_the_error_of_no_event_says_what_to_do(client, errors):
    client.track({"model": "x"})
    assert isinstance(errors[0], ValidationError)
    assert "client.event_builder.build" in str(errors[0])


def test_track_before_start_only_queues(client, server, new_event):
    before = set(threading.enumerate())
    for _ in range(250):
        client.track(new_event())
    assert client.queue_size == 250
    assert not client.is_running
    assert set(threading.enumerate()) == before or not any("mosaic" in thread.name for thread in set(threading.enumerate()) - before)
    assert server.requests == []


def test_an_event_tracked_is_the_event_sent(client, server, new_event):
    event = new_event(quality_gates_failed=["lint"], language=None)
    before = copy.deepcopy(vars(event))
    client.track(event)
    assert client.flush(10)
    assert server.events[event.event_id] == {**before, "quality_gates_run": ["build", "test"], "quality_gates_failed": ["lint"]}


def test_eight_threads_track_at_once(new_client, server, new_event):
    client = new_client(max_queue_size=10_000, batch_size=50)
    client.start()
    events = [[new_event() for _ in range(100)] for _ in range(8)]

    def track(mine):
        for event in mine:
            client.track(event)

    threads = [threading.Thread(target=track, args=(mine,)) for mine in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.stop(20)
    assert set(server.events) == {event.event_id for mine in events for event in mine}
    assert client.stats.accepted == 800
    order = list(server.events)
    for mine in events:
        places = [order.index(event.event_id) for event in mine]
        assert places == sorted(places)
