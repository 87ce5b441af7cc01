import json
import time
from types import SimpleNamespace

import pytest

from mosaic_telemetry.schema import PredictionMetadata, PredictionQuery, PredictionResponse
from mosaic_telemetry.server.answers import KEPT_SECONDS, Answers


@pytest.fixture
def counting():
    """Answers whose sample size says how often something was worked out, and a clock to turn."""
    state = SimpleNamespace(now=100.0, asked=[])

    def predict(queries):
        state.asked.append(list(queries))
        metadata = PredictionMetadata(sample_size=len(state.asked), fallback_level=0, confidence="low")
        return [PredictionResponse(prediction=None, metadata=metadata) for _ in queries]

    state.answers = Answers(predict, lambda: state.now)
    state.give = lambda *queries: [json.loads(answer)["metadata"] for answer in state.answers.give(queries)]
    return state


def query(model):
    return PredictionQuery(task_type="planning", model=model, provider="openai", complexity="low")


def test_an_answer_is_given_again_for_a_moment_and_says_so(counting):
    first = counting.give(query("a"))[0]
    counting.now += KEPT_SECONDS / 2
    second = counting.give(query("a"))[0]
    assert (first["cache_hit"], second["cache_hit"]) == (False, True)
    assert first["sample_size"] == second["sample_size"] == 1
    counting.now += KEPT_SECONDS
    third = counting.give(query("a"))[0]
    assert (third["cache_hit"], third["sample_size"]) == (False, 2)


def test_only_what_is_missing_is_worked_out_each_once_and_all_come_in_their_order(counting):
    counting.give(query("a"))
    found = counting.give(query("b"), query("a"), query("b"), query("c"))
    assert counting.asked[1] == [query("b"), query("c")]
    assert [answer["cache_hit"] for answer in found] == [False, True, False, False]
    assert [answer["sample_size"] for answer in found] == [2, 1, 2, 2]


def test_memory_is_bounded_however_many_different_queries_come(counting):
    for start in range(0, 20_000, 50):
        counting.give(*(query(f"m{number}") for number in range(start, start + 50)))
    assert len(counting.answers._kept) <= 5_000


def test_a_running_server_gives_answers_again(server):
    body = json.dumps({"queries": [{"task_type": "planning", "model": "x", "provider": "openai", "complexity": "low"}]})
    deadline = time.monotonic() + 10
    hit = False
    while not hit:
        assert time.monotonic() < deadline
        _, answer, _ = server.ask("POST", "/v1/predictions/batch", body)
        hit = answer["results"][0]["metadata"]["cache_hit"]
