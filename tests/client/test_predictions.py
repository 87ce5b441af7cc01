"""Predictions: fetched in requests of at most 50, cached by all four dimensions, never half an answer."""

import json
import math
import re
from dataclasses import replace

import pytest
from support.waiting import wait_for

from mosaic_telemetry import AnswerError, HTTPStatusError, PredictionQuery, TransportError
from mosaic_telemetry.testing import Answer

METADATA = {"sample_size": 7, "fallback_level": 0, "confidence": "low"}
ANSWER = {"prediction": None, "metadata": METADATA}


def key(query):
    return (str(query.task_type), query.model, str(query.provider), str(query.complexity))


def test_an_answer_is_at_hand_after_a_refresh(client, server, query):
    server.predictions[key(query)] = ANSWER
    assert client.get_prediction(query) is None
    assert client.refresh_predictions([query])
    answer = client.get_prediction(query)
    assert answer is not None
    assert answer.metadata.sample_size == 7
    assert len(server.requests) == 1


def test_no_key_is_sent(client, server, query):
    assert client.refresh_predictions([query])
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/predictions/batch")
    assert "authorization" not in request.headers
    assert request.headers["user-agent"].startswith("mosaic-telemetry-client-python/")
    assert request.json == {"queries": [{"task_type": "testing", "model": "m", "provider": "openai", "complexity": "low"}]}


def test_120_queries_go_50_50_20_and_each_gets_its_own_answer(client, server, query):
    queries = [replace(query, model=f"m{number}") for number in range(120)]
    for number, one in enumerate(queries):
        server.predictions[key(one)] = {**ANSWER, "metadata": {**METADATA, "sample_size": number}}
    assert client.refresh_predictions(iter(queries))
    assert [len(request.json["queries"]) for request in server.requests] == [50, 50, 20]
    answers = [client.get_prediction(one) for one in queries]
    assert [answer.metadata.sample_size for answer in answers] == list(range(120))


def test_the_same_query_is_asked_once(client, server, query):
    assert client.refresh_predictions([query, query, replace(query)])
    assert len(server.requests[0].json["queries"]) == 1


def test_no_queries_no_request(client, server):
    assert client.refresh_predictions([])
    assert server.requests == []


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_answers_caches_nothing(client, server, errors, query, count):
    server.answer(Answer(body=json.dumps({"results": [ANSWER] * count}).encode()))
    queries = [query, replace(query, model="n")]
    assert not client.refresh_predictions(queries)
    assert [client.get_prediction(one) for one in queries] == [None, None]
    assert [type(error) for error in errors] == [AnswerError]


def test_of_three_requests_the_one_that_failed_caches_nothing_and_the_others_do(new_client, server, query):
    client = new_client(max_retries=0)
    queries = [replace(query, model=f"m{number}") for number in range(120)]
    server.rule = lambda request: Answer(status=500) if len(request.json["queries"]) == 20 else None
    assert not client.refresh_predictions(queries)
    assert [client.get_prediction(one) is not None for one in queries] == [True] * 100 + [False] * 20


GARBAGE = [
    b"",
    b"<html>",
    b"[]",
    b"null",
    b"{}",
    b'{"results": [5]}',
    b'{"results": [{}]}',
    b'{"results": [{"prediction": {}, "metadata": {}}]}',
    b"[" * 100_000,
    b"\xff",
]


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_reported_and_what_was_cached_stays(client, server, errors, query, body):
    assert client.refresh_predictions([query])
    before = client.get_prediction(query)
    server.answer(Answer(body=body))
    assert not client.refresh_predictions([query])
    assert client.get_prediction(query) is before
    assert [type(error) for error in errors] == [AnswerError]
    assert str(errors[0]).isprintable()


@pytest.mark.parametrize("status", [401, 404, 422, 429, 500])
def test_a_refusal_is_reported(new_client, server, errors, query, status):
    client = new_client(max_retries=0)
    server.fail(status)
    assert not client.refresh_predictions([query])
    assert client.get_prediction(query) is None
    assert isinstance(errors[0], HTTPStatusError)
    assert str(errors[0]).startswith(f"HTTP {status}: ")


def test_no_server(new_client, errors, query, dead_url):
    assert not new_client(server_url=dead_url).refresh_predictions([query])
    assert [type(error) for error in errors] == [TransportError]


def test_a_black_hole(new_client, errors, query, black_hole):
    assert not new_client(server_url=black_hole, request_timeout=0.2).refresh_predictions([query])
    (error,) = errors
    assert re.fullmatch(r"no answer within 0\.[12]\d* s", str(error))  # what was left of the time when the request began


def test_an_expired_prediction_reads_as_absent(new_client, server, query):
    client = new_client(prediction_cache_ttl=0.05)
    assert client.refresh_predictions([query])
    wait_for(lambda: client.get_prediction(query) is None, what="the expiry of a prediction")
    assert client.refresh_predictions([query])
    assert len(server.requests) == 2


def explode(*_):
    raise RuntimeError("hostile")


Hostile = type("Hostile", (), dict.fromkeys(("__hash__", "__eq__", "__repr__", "__iter__"), explode))
NASTY = [None, 5, "query", b"x", {}, [], {"task_type": "testing"}, math.nan, object(), PredictionQuery, Hostile()]


@pytest.mark.parametrize("number", range(len(NASTY)))  # pytest itself looks at a parameter, which a hostile one does not stand
def test_what_is_no_query_never_raises(client, server, errors, query, number):
    assert client.get_prediction(NASTY[number]) is None
    assert client.refresh_predictions(NASTY[number]) in {True, False}
    assert client.refresh_predictions([query, NASTY[number]]) is False
    assert errors
    assert all(str(error).isprintable() for error in errors)
    assert server.requests == []


@pytest.mark.parametrize("number", range(len(NASTY)))
def test_what_is_no_query_is_never_sent(client, server, errors, number):
    assert client.predict(NASTY[number], 2) is None
    assert server.requests == []
    assert errors


def test_a_query_that_does_not_fit_never_raises(client, errors):
    bad = PredictionQuery(task_type=object(), model=math.nan, provider=None, complexity={1})  # type: ignore[arg-type]  # as untyped code may
    assert client.get_prediction(bad) is None
    assert client.refresh_predictions([bad]) is False
    assert errors


def test_queries_that_the_server_refuses_do_not_keep_the_others(client, server, query):
    server.rule = lambda request: Answer(status=422) if b'"bad"' in request.body else None
    queries = [replace(query, model=f"m{number}") for number in range(60)]
    assert not client.refresh_predictions([*queries, replace(query, model="bad")])
    assert sum(client.get_prediction(one) is not None for one in queries) >= 50
