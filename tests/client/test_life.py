"""`start`, `stop`, `flush`, disabled, dry run: threads, times, and what stays behind."""

import logging
import subprocess
import sys
import threading
import time

import pytest
from support.waiting import wait_for

from mosaic_telemetry.testing import Answer

SLACK = 5.0
"""Seconds over a promised time that a machine under load may take."""


def threads():
    return {thread for thread in threading.enumerate() if thread.name == "mosaic-telemetry"}


def test_making_a_client_and_tracking_starts_no_thread(new_client, new_event):
    before = threads()
    client = new_client()
    client.track(new_event())
    assert threads() == before
    assert not client.is_running


def test_start_and_stop_any_number_of_times(new_client, server, new_event):
    before = threads()
    client = new_client()
    for round_number in range(1, 4):
        client.start()
        client.start()
        assert client.is_running
        (thread,) = threads() - before
        assert thread.daemon
        client.track(new_event())
        assert client.stop(10)
        assert client.stop(10)
        assert not client.is_running
        wait_for(lambda: not threads() - before, what="the end of the thread")
        assert len(server.events) == round_number


def test_stop_without_start_sends_what_is_queued(new_client, server, new_event):
    client = new_client()
    for _ in range(3):
        client.track(new_event())
    assert client.stop(10)
    assert len(server.events) == 3


def test_nothing_to_send_is_sent_at_once(new_client, server):
    client = new_client()
    assert client.flush(10)
    assert client.stop(10)
    client.start()
    assert client.flush(10)
    assert client.stop(10)
    assert server.requests == []


def test_flush_without_start_leaves_no_thread(new_client, server, new_event):
    before = threads()
    client = new_client()
    client.track(new_event())
    assert client.flush(10)
    assert not client.is_running
    wait_for(lambda: not threads() - before, what="the end of the thread")
    assert len(server.events) == 1


def test_tracking_goes_on_after_stop(new_client, server, new_event):
    client = new_client()
    client.start()
    client.stop(10)
    client.track(new_event())
    assert client.queue_size == 1
    assert client.flush(10)
    assert len(server.events) == 1


def test_as_a_context_manager(new_client, server, new_event):
    with new_client() as client:
        assert client.is_running
        client.track(new_event())
    assert not client.is_running
    assert len(server.events) == 1


def test_an_exception_passes_a_context_manager_and_the_events_arrive(new_client, server, new_event):
    client = new_client()

    def use():
        with client:
            client.track(new_event())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert len(server.events) == 1


def test_the_interval_sends_without_being_asked(new_client, server, new_event):
    client = new_client(submit_interval=0.05)
    client.start()
    for number in range(1, 4):
        client.track(new_event())
        wait_for(lambda number=number: len(server.events) == number, what="the submission of the interval")


def test_a_full_batch_is_sent_at_once_without_waiting_for_the_interval(new_client, server, new_event):
    client = new_client(submit_interval=300, batch_size=5)
    client.start()
    for number in (5, 10):
        for _ in range(5):
            client.track(new_event())
        wait_for(lambda number=number: len(server.events) == number, what="the submission of a full batch")
    client.track(new_event())
    assert client.queue_size == 1


def test_a_full_batch_that_waits_is_sent_at_start(new_client, server, new_event):
    client = new_client(submit_interval=300, batch_size=5)
    for _ in range(12):
        client.track(new_event())
    assert server.requests == []
    client.start()
    wait_for(lambda: len(server.events) >= 10, what="the submission of a full batch")


def test_the_background_tries_again_by_itself(new_client, server, new_event):
    client = new_client(submit_interval=0.05, max_retries=0)
    client.start()
    server.fail(503, times=2)
    client.track(new_event())
    wait_for(lambda: server.events, 20, "the delivery after two failures")


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("call", ["flush", "stop"])
def test_a_black_hole_holds_nobody_longer_than_they_wait(new_client, black_hole, new_event, call, started):
    client = new_client(server_url=black_hole, request_timeout=2)
    if started:
        client.start()
    client.track(new_event())
    began = time.monotonic()
    assert not getattr(client, call)(0.2)
    assert time.monotonic() - began < 0.2 + SLACK
    wait_for(lambda: client.queue_size == 1, 20, "the event's return to the queue")


@pytest.mark.parametrize("timeout", [0, -1, 0.0])
def test_no_time_is_no_time(new_client, black_hole, new_event, timeout):
    client = new_client(server_url=black_hole, request_timeout=1)
    client.track(new_event())
    began = time.monotonic()
    assert not client.flush(timeout)
    assert not client.stop(timeout)
    assert time.monotonic() - began < SLACK
    wait_for(lambda: client.queue_size == 1, what="the event's return to the queue")


@pytest.mark.parametrize("timeout", ["5", object(), []], ids=["text", "object", "list"])
def test_a_time_that_is_none_is_reported(new_client, errors, new_event, timeout):
    client = new_client()
    client.track(new_event())
    assert not client.flush(timeout)
    assert not client.stop(timeout)
    assert len(errors) == 2
    assert client.flush(10)


def test_track_never_waits_for_the_network(new_client, black_hole, new_event):
    client = new_client(server_url=black_hole, request_timeout=2, batch_size=1)
    client.start()
    events = [new_event() for _ in range(500)]
    began = time.monotonic()
    for event in events:
        client.track(event)
    assert time.monotonic() - began < 1.5


def test_two_flushes_at_once_both_end(new_client, server, new_event):
    client = new_client()
    for _ in range(3):
        client.track(new_event())
    server.answer(Answer(status=503, delay=0.1))
    answers = []
    both = [threading.Thread(target=lambda: answers.append(client.flush(10))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert answers == [True, True]
    assert len(server.events) == 3


def test_a_disabled_client_queues_nothing(new_client, server, errors, new_event, query):
    client = new_client(enabled=False)
    with client:
        assert not client.is_running
        client.track(new_event())
        client.track("nasty")
        with client.task(model="m") as task:
            task.add_usage(input_tokens=1)
        assert client.queue_size == 0
        assert client.flush(5)
        assert client.get_prediction(query) is None
        assert client.refresh_predictions([query]) is False
    assert client.stop(5)
    assert server.requests == []
    assert errors == []
    assert client.stats == type(client.stats)()


DISABLED = """
import os, sys, threading
from mosaic_telemetry import TelemetryClient, TelemetryConfig
def open_files():
    return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}"))
before = open_files() if sys.platform == "linux" else None
client = TelemetryClient(TelemetryConfig("http://127.0.0.1:9", "k", "i"))
with client, client.task(model="m"):
    pass
client.track("nasty")
client.flush(1)
client.stop(1)
assert threading.active_count() == 1, threading.enumerate()
assert before is None or open_files() == before, (before, open_files())
assert not {"http.client", "socket", "ssl"} & set(sys.modules)
"""


def test_a_disabled_client_has_no_thread_no_socket_and_no_file(tmp_path):
    env = {"DO_NOT_TRACK": "1", "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", DISABLED], check=True, env=env, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_does_all_but_the_http_calls(new_client, server, new_event, query, caplog):
    client = new_client(dry_run=True, batch_size=2)
    events = [new_event() for _ in range(5)]
    with caplog.at_level(logging.DEBUG, "mosaic_telemetry"):
        for event in events:
            client.track(event)
        assert client.queue_size == 5
        assert client.flush(10)
    assert (client.queue_size, client.stats.accepted) == (0, 5)
    assert client.refresh_predictions([query]) is False
    assert client.stop(10)
    assert server.requests == []
    assert client.stats.last_error is None
    debug = "\n".join(record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG and record.name.startswith("mosaic_telemetry"))
    for event in events:
        assert event.event_id in debug


def test_a_dry_run_sends_in_the_background_as_usual(new_client, server, new_event):
    client = new_client(dry_run=True, submit_interval=0.05)
    client.start()
    client.track(new_event())
    wait_for(lambda: client.stats.accepted == 1, what="the submission of the interval")
    assert server.requests == []
