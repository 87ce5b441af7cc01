"""Predictions for callers in a hurry: one fetch however many ask, stale ones meanwhile, warm from a file, within a deadline."""

import json
import stat
import threading
import time
from dataclasses import replace

import pytest
from support.waiting import wait_for

from mosaic_telemetry import TelemetryError
from mosaic_telemetry.client import cachefile
from mosaic_telemetry.testing import Answer

SLACK = 5.0
"""Seconds over a promised time that a machine under load may take."""


@pytest.fixture
def cache_file(tmp_path):
    return tmp_path / "predictions.json"


def together(count, call):
    """The answers of `count` threads that call at the same time."""
    barrier = threading.Barrier(count)
    answers = []

    def one():
        barrier.wait()
        answers.append(call())

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


# --- one fetch ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["refresh_predictions", "predict"])
def test_one_request_however_many_ask(client, server, query, call):
    server.rule = lambda _: time.sleep(0.3)
    ask = {"refresh_predictions": lambda: client.refresh_predictions([query]), "predict": lambda: client.predict(query, 20)}[call]
    assert all(together(8, ask))
    assert len(server.requests) == 1


def test_one_request_for_a_model_however_it_is_written(client, server, query):
    assert client.refresh_predictions([query, replace(query, model=" M "), replace(query, model="m\t")])
    (request,) = server.requests
    assert len(request.json["queries"]) == 1
    assert client.get_prediction(replace(query, model="M")) is client.get_prediction(query)


# --- within a deadline ----------------------------------------------------------------------------------------------


def test_predict_fetches_what_is_not_there(client, server, query):
    assert client.get_prediction(query) is None
    assert client.predict(query, 20) is not None
    assert client.predict(query, 20) is client.get_prediction(query)
    assert len(server.requests) == 1


def test_predict_gives_up_in_time_and_the_answer_is_there_for_the_next(client, server, query):
    server.answer(
        Answer(delay=1.0, process=False, body=b'{"results": [{"prediction": null, "metadata": {"sample_size": 1, "fallback_level": 0, "confidence": "low"}}]}')
    )
    began = time.monotonic()
    assert client.predict(query, 0.1) is None
    assert time.monotonic() - began < 0.9
    wait_for(lambda: client.get_prediction(query) is not None, 20, "the answer that was late")


def test_predict_without_a_server(new_client, query, dead_url, black_hole, errors):
    assert new_client(server_url=dead_url).predict(query, 5) is None
    assert errors
    began = time.monotonic()
    assert new_client(server_url=black_hole, request_timeout=1).predict(query, 0.1) is None
    assert time.monotonic() - began < 0.1 + SLACK


# --- a server in trouble ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 500, 503])
def test_a_failure_that_passes_is_tried_again(client, server, query, errors, status):
    server.fail(status)
    assert client.refresh_predictions([query])
    assert len(server.requests) == 2
    assert errors == []


def test_a_failure_that_stays_ends_in_time(new_client, server, query, errors):
    server.fail(503, times=100)
    client = new_client(request_timeout=0.5, max_retries=50)
    began = time.monotonic()
    assert not client.refresh_predictions([query])
    assert time.monotonic() - began < 0.5 + SLACK
    assert [str(error)[:9] for error in errors] == ["HTTP 503:"]


def test_retry_after_is_waited_for_where_time_allows(client, server, query, errors):
    server.fail(429, headers={"Retry-After": "1"})
    assert client.refresh_predictions([query])
    first, second = server.requests
    assert second.time - first.time >= 1.0
    assert errors == []


def test_retry_after_beyond_the_deadline_ends_at_once_and_holds_the_next_back(new_client, server, query, errors):
    server.fail(429, headers={"Retry-After": "60"})
    client = new_client(request_timeout=2)
    began = time.monotonic()
    assert not client.refresh_predictions([query])
    assert not client.refresh_predictions([replace(query, model="n")])
    assert time.monotonic() - began < 2
    assert len(server.requests) == 1
    assert str(errors[0]).startswith("HTTP 429")
    assert isinstance(errors[1], TelemetryError)
    assert "asked for no requests" in str(errors[1])


def test_retry_after_holds_back_events_and_predictions_alike(new_client, server, query, new_event):
    """One server, one pause: whichever request it answered."""
    server.fail(429, headers={"Retry-After": "60"})
    client = new_client(request_timeout=0.5)
    client.track(new_event())
    assert not client.flush(0.5)
    assert not client.refresh_predictions([query])
    assert len(server.requests) == 1
    other = new_client(request_timeout=0.5)
    server.fail(429, headers={"Retry-After": "60"})
    assert not other.refresh_predictions([query])
    other.track(new_event())
    assert not other.flush(0.5)
    assert len(server.requests) == 2


# --- stale, and renewed -----------------------------------------------------------------------------------------------


def test_a_stale_one_is_answered_while_it_is_renewed(new_client, server, query):
    client = new_client(prediction_cache_ttl=0.2, prediction_stale_ttl=3600)
    assert client.refresh_predictions([query])
    first = client.get_prediction(query)
    server.predictions["testing", "m", "openai", "low"] = {"prediction": None, "metadata": {"sample_size": 9, "fallback_level": 0, "confidence": "low"}}
    wait_for(lambda: len(server.requests) == 2 or client.get_prediction(query) is None, 20, "the renewal")
    assert len(server.requests) == 2, "it was never absent"
    wait_for(lambda: client.get_prediction(query).metadata.sample_size == 9, 20, "the new one")
    assert first.metadata.sample_size == 0


def test_a_stale_one_that_cannot_be_renewed_asks_seldom(new_client, server, query):
    client = new_client(prediction_cache_ttl=0.01, prediction_stale_ttl=3600, max_retries=0)
    assert client.refresh_predictions([query])
    server.fail(404, times=1000)
    time.sleep(0.05)
    wait_for(lambda: client.get_prediction(query) is not None and len(server.requests) == 2, 20, "the renewal")
    wait_for(lambda: client.stats.last_error is not None, 20, "its failure")
    for _ in range(200):
        assert client.get_prediction(query) is not None
        time.sleep(0.001)
    assert len(server.requests) <= 3


# --- from a file ------------------------------------------------------------------------------------------------------


def test_the_next_process_starts_warm(new_client, server, query, cache_file):
    assert new_client(prediction_cache_file=cache_file).refresh_predictions([query])
    assert stat.S_IMODE(cache_file.stat().st_mode) == 0o600
    twin = new_client(prediction_cache_file=cache_file)
    assert twin.get_prediction(query) is not None
    assert twin.predict(replace(query, model=" M")) is not None
    assert len(server.requests) == 1


def test_a_file_keeps_servers_apart_and_both(new_client, query, cache_file, dead_url):
    assert new_client(prediction_cache_file=cache_file).refresh_predictions([query])
    stranger = new_client(server_url=dead_url, prediction_cache_file=cache_file)
    assert stranger.get_prediction(query) is None
    cachefile.save(str(cache_file), "http://other", [], time.time())
    assert new_client(prediction_cache_file=cache_file).get_prediction(query) is not None


def test_what_is_over_is_not_warmed_up(new_client, query, cache_file):
    client = new_client(prediction_cache_file=cache_file, prediction_cache_ttl=0.01)
    assert client.refresh_predictions([query])
    time.sleep(0.05)
    assert new_client(prediction_cache_file=cache_file).get_prediction(query) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"servers": 5}', b'{"servers": {"x": [1, {}]}}', b"\xff" * 100, b"[" * 100_000])
def test_a_broken_file_is_written_anew(new_client, query, cache_file, errors, content):
    cache_file.write_bytes(content)
    client = new_client(prediction_cache_file=cache_file)
    assert client.get_prediction(query) is None
    assert client.refresh_predictions([query])
    assert errors == []
    assert new_client(prediction_cache_file=cache_file).get_prediction(query) is not None


def test_many_threads_save_at_the_same_time(new_client, query, cache_file, errors):
    client = new_client(prediction_cache_file=cache_file)
    numbers = iter(range(100))
    assert all(together(8, lambda: client.refresh_predictions([replace(query, model=f"m{next(numbers)}")])))
    assert errors == []
    assert json.loads(cache_file.read_bytes())["servers"]
    assert list(cache_file.parent.iterdir()) == [cache_file]


def test_a_save_that_fails_leaves_nothing_behind(new_client, query, cache_file, errors):
    cache_file.mkdir()
    client = new_client(prediction_cache_file=cache_file)
    assert client.refresh_predictions([query])
    assert client.get_prediction(query) is not None
    assert [type(error) for error in errors] == [IsADirectoryError]
    assert list(cache_file.parent.iterdir()) == [cache_file]
