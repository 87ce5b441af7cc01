"""The helpers for a user's own tests."""

import json
import threading
import urllib.error
import urllib.request

import pytest
from support.events import fields

from mosaic_telemetry import TaskCompletionEvent, TelemetryClient
from mosaic_telemetry.schema import to_dict
from mosaic_telemetry.testing import Answer, LocalServer, capture_events


def ask(server, path, body, key=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, headers={"Authorization": f"Bearer {key or server.api_key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def send(server, *events):
    return ask(server, "/v1/events/batch", {"events": [to_dict(event) if isinstance(event, TaskCompletionEvent) else event for event in events]})


def test_captured_events_are_not_queued(client, server, new_event):
    event = new_event()
    with capture_events() as events:
        client.track(event)
        assert events == [event]
        assert client.queue_size == 0
    client.track(new_event())
    assert len(events) == 1
    assert client.flush(10)
    assert len(server.events) == 1


def test_events_of_every_client_are_captured(new_client, new_event):
    with capture_events() as events:
        new_client().track(new_event())
        new_client().track(new_event())
    assert len(events) == 2


def test_blocks_may_be_nested_and_the_inner_one_takes(client, new_event):
    with capture_events() as outer:
        with capture_events() as inner:
            client.track(new_event())
        assert (len(outer), len(inner)) == (0, 1)
        with capture_events() as second:
            pass
        client.track(new_event())
        assert (len(outer), len(inner), len(second)) == (1, 1, 0)
    client.track(new_event())
    assert (len(outer), client.queue_size) == (1, 1)


def test_capturing_goes_on_where_the_environment_says_do_not_track(new_client, new_event, server, monkeypatch):
    """On a machine that is not to be tracked, tests of what would be reported still run; nothing leaves."""
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    client = new_client()
    with capture_events() as events:
        client.track(new_event())
        with client.task(model="m"):
            pass
    assert len(events) == 2
    client.track(new_event())
    assert client.flush(10)
    assert (len(events), client.queue_size, server.requests) == (2, 0, [])


def test_a_client_that_is_switched_off_reports_nothing_to_capture(new_client, new_event, monkeypatch):
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    with capture_events() as events:
        new_client(enabled=False).track(new_event())
    assert events == []


def test_an_exception_ends_capturing(client, new_event):
    with pytest.raises(ZeroDivisionError), capture_events():
        raise ZeroDivisionError
    client.track(new_event())
    assert client.queue_size == 1


def test_the_local_server_keeps_what_it_accepts(server, new_event):
    events = [new_event() for _ in range(3)]
    status, answer = send(server, *events)
    assert status == 202
    assert (answer["accepted"], answer["rejected"]) == (3, 0)
    assert [(one["event_id"], one["status"]) for one in answer["results"]] == [(event.event_id, "accepted") for event in events]
    assert list(server.events.values()) == [to_dict(event) for event in events]


def test_the_local_server_rejects_duplicates_alone(server, new_event):
    event = new_event()
    assert send(server, event)[0] == 202
    status, answer = send(server, event, new_event(), event)
    assert (status, answer["accepted"], answer["rejected"]) == (202, 1, 2)
    assert [one["status"] for one in answer["results"]] == ["rejected", "accepted", "rejected"]
    assert "duplicate" in answer["results"][0]["error"]


def test_the_local_server_refuses_as_the_contract_says(server, new_event):
    event = to_dict(new_event())
    assert ask(server, "/v1/events/batch", {"events": [event]}, key="wrong")[0] == 401
    assert send(server, {**event, "instance_id": "11111111-1111-4111-8111-111111111111"})[0] == 403
    assert send(server)[0] == 422
    assert send(server, *[event] * 101)[0] == 422
    assert ask(server, "/v1/events/batch", b"{")[0] in {400, 422}
    assert ask(server, "/v1/events/batch", b"[]")[0] in {400, 422}
    assert ask(server, "/nothing", {})[0] == 404
    assert server.events == {}


@pytest.mark.parametrize("bad", [{"retry_count": 21}, {"instance_id": None}, {"instance_id": "nonsense"}, {"model": ""}, {"event_id": "x"}])
def test_the_local_server_rejects_a_bad_event_alone(server, new_event, bad):
    good = new_event()
    status, answer = send(server, good, {**to_dict(new_event()), **bad})
    assert (status, answer["accepted"], answer["rejected"]) == (202, 1, 1)
    assert answer["results"][1]["error"]
    assert list(server.events) == [good.event_id]


def test_the_local_server_rejects_an_event_without_an_instance_alone(server, new_event):
    event = to_dict(new_event())
    del event["instance_id"]
    status, answer = send(server, new_event(), event)
    assert (status, answer["accepted"], answer["rejected"]) == (202, 1, 1)


QUERY = {"task_type": "testing", "model": "m", "provider": "openai", "complexity": "low"}


def test_the_local_server_predicts(server):
    known = {"prediction": None, "metadata": {"sample_size": 7, "fallback_level": 0, "confidence": "low"}}
    server.predictions["testing", "m", "openai", "low"] = known
    status, answer = ask(server, "/v1/predictions/batch", {"queries": [{**QUERY, "model": "n"}, QUERY]})
    assert status == 200
    assert answer["results"][1] == known
    assert answer["results"][0]["metadata"] == {"sample_size": 0, "fallback_level": -1, "confidence": "none"}


@pytest.mark.parametrize("queries", [[], [QUERY] * 51, [{}], [5], [{**QUERY, "provider": "me"}]], ids=["none", "51", "empty", "no object", "unknown value"])
def test_the_local_server_refuses_queries_as_the_contract_says(server, queries):
    assert ask(server, "/v1/predictions/batch", {"queries": queries})[0] == 422


def test_failures_on_demand(server, new_event):
    server.fail(503, times=2, headers={"X-Why": "because"}, body=b'{"error": "busy"}')
    assert send(server, new_event()) == (503, {"error": "busy"})
    assert send(server, new_event())[0] == 503
    assert send(server, new_event())[0] == 202


def test_answers_on_demand(server, new_event):
    server.answer(Answer(status=201, body=b'"hello"'))
    assert send(server, new_event()) == (201, "hello")
    server.answer(Answer(status=500, process=True))
    event = new_event()
    assert send(server, event)[0] == 500
    assert list(server.events) == [event.event_id]


def test_a_rule_is_asked_first(server, new_event):
    server.rule = lambda request: Answer(status=418) if request.json["events"][0]["model"] == "teapot" else None
    assert send(server, new_event(model="teapot"))[0] == 418
    assert send(server, new_event())[0] == 202


def test_every_request_is_kept(server, new_event):
    event = new_event()
    send(server, event)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/events/batch")
    assert request.headers["authorization"] == f"Bearer {server.api_key}"
    assert request.json["events"][0]["event_id"] == event.event_id
    assert request.time > 0


def test_closing_ends_what_is_slow(new_client, new_event):
    with LocalServer() as server:
        server.answer(Answer(delay=60))
        client = new_client(server_url=server.url, max_retries=0)
        client.track(new_event())
        assert not client.flush(0.1)


def test_closing_twice():
    server = LocalServer()
    with server:
        pass
    server.close()


def test_closing_what_was_never_entered():
    server = LocalServer()
    thread = threading.Thread(target=server.close, daemon=True)
    thread.start()
    thread.join(3)
    assert not thread.is_alive()


def test_the_example_of_the_documentation(config):
    with LocalServer() as server:
        server.fail(503, times=1)
        client = TelemetryClient(config(server_url=server.url, api_key=server.api_key, instance_id=server.instance_id))
        client.track(client.event_builder.build(**fields()))
        assert client.stop(10)
        assert len(server.events) == 1
