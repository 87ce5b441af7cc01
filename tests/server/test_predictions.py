import json
import time

import pytest

from mosaic_telemetry.schema import PredictionResponse, from_dict

QUERY = {"task_type": "planning", "model": "gpt-5", "provider": "openai", "complexity": "low"}


def test_an_accepted_event_shows_within_a_second(server):
    query = QUERY | {"model": "seen-soon"}
    server.submit(*(server.event(**query) for _ in range(5)))
    deadline = time.monotonic() + 1
    while server.predict(**query)["metadata"]["fallback_level"] != 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.submit(server.event(**query))
    deadline = time.monotonic() + 1
    while server.predict(**query)["metadata"]["sample_size"] != 6:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_answers_come_in_the_order_of_the_queries_and_fit_the_schema(server):
    queries = [QUERY | {"model": f"model-{number}", "complexity": "high"} for number in range(50)]
    status, answer, _ = server.ask("POST", "/v1/predictions/batch", json.dumps({"queries": queries}))
    assert status == 200
    assert len(answer["results"]) == 50
    for result in answer["results"]:
        response = from_dict(PredictionResponse, result)
        assert response.metadata.cache_hit is False


def test_get_answers_one_query(server):
    status, answer, _ = server.ask("GET", "/v1/predictions?task_type=planning&model=nobody%20has&provider=openai&complexity=low")
    assert status == 200
    assert from_dict(PredictionResponse, answer).metadata.fallback_level != 0


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("", ["task_type: missing", "model: missing", "provider: missing", "complexity: missing"]),
        ("?task_type=planning&model=&provider=openai&complexity=low", ["model: ''"]),
        ("?task_type=cooking&model=x&provider=openai&complexity=low", ["task_type: 'cooking'"]),
    ],
)
def test_get_with_bad_parameters_names_them(server, parameters, words):
    status, answer, _ = server.ask("GET", "/v1/predictions" + parameters)
    assert status == 422
    assert all(word in answer["error"] for word in words)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "not JSON"),
        (b'{"queries": NaN}', 400, "NaN"),
        (b"[]", 422, "object"),
        (b"{}", 422, "queries: missing"),
        (b'{"queries": []}', 422, "1 to 50"),
        (json.dumps({"queries": [QUERY] * 51}).encode(), 422, "1 to 50"),
        (json.dumps({"queries": [QUERY, QUERY | {"provider": "x"}]}).encode(), 422, "queries[1].provider: 'x'"),
        (json.dumps({"queries": [5]}).encode(), 422, "queries[0]"),
    ],
)
def test_a_body_that_is_no_batch_of_queries(server, body, status, words):
    found, answer, _ = server.ask("POST", "/v1/predictions/batch", body)
    assert found == status
    assert words in answer["error"]
    assert "\n" not in answer["error"]
