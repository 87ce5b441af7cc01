"""The prediction cache: time to live, key, removal of what expired."""

import math
import threading

import pytest
from support.clock import Clock

from mosaic_telemetry import PredictionCache, PredictionQuery, PredictionResponse
from mosaic_telemetry.schema import from_dict

QUERY = {"task_type": "testing", "model": "m", "provider": "openai", "complexity": "low"}


def answer(size=0):
    return from_dict(PredictionResponse, {"prediction": None, "metadata": {"sample_size": size, "fallback_level": -1, "confidence": "none"}})


def test_an_answer_is_there_until_its_time_is_over():
    clock = Clock(1000.0)
    cache = PredictionCache(10, clock=clock)
    key, kept = from_dict(PredictionQuery, QUERY), answer()
    assert cache.get(key) is None
    cache.set(key, kept)
    clock.seconds += 9.999
    assert cache.get(key) is kept
    clock.seconds += 0.001
    assert len(cache) == 1
    assert cache.get(key) is None
    assert len(cache) == 0, "an expired entry is removed when it is read"
    clock.seconds -= 5
    assert cache.get(key) is None


def test_setting_again_renews():
    clock = Clock(1000.0)
    cache = PredictionCache(10, clock=clock)
    key = from_dict(PredictionQuery, QUERY)
    cache.set(key, answer(1))
    clock.seconds += 8
    cache.set(key, answer(2))
    clock.seconds += 8
    assert cache.get(key) == answer(2)
    assert len(cache) == 1


@pytest.mark.parametrize(("name", "value"), [("task_type", "debugging"), ("model", "n"), ("provider", "google"), ("complexity", "high")])
def test_each_dimension_is_part_of_the_key(name, value):
    cache = PredictionCache(10)
    cache.set(from_dict(PredictionQuery, QUERY), answer())
    assert cache.get(from_dict(PredictionQuery, {**QUERY, name: value})) is None
    assert cache.get(from_dict(PredictionQuery, dict(QUERY))) is not None


def test_a_query_made_of_texts_finds_the_same():
    cache = PredictionCache(10)
    cache.set(from_dict(PredictionQuery, QUERY), answer())
    assert cache.get(PredictionQuery(**QUERY)) is not None  # type: ignore[arg-type]  # as untyped code calls it


@pytest.mark.parametrize("model", ["M", " m", "m\n", "  M\t"])
def test_models_are_compared_as_servers_compare_them(model):
    """Trimmed and in lower case, as the contract says."""
    cache = PredictionCache(10)
    kept = answer()
    cache.set(from_dict(PredictionQuery, QUERY), kept)
    assert cache.get(PredictionQuery(**{**QUERY, "model": model})) is kept  # type: ignore[arg-type]  # as untyped code calls it
    cache.set(from_dict(PredictionQuery, {**QUERY, "model": f"{model} "}), answer())
    assert len(cache) == 1


def test_clear():
    cache = PredictionCache(10)
    cache.set(from_dict(PredictionQuery, QUERY), answer())
    cache.clear()
    assert len(cache) == 0
    assert cache.get(from_dict(PredictionQuery, QUERY)) is None


@pytest.mark.parametrize("ttl", [0, -1, math.nan, True, None, "5"])
def test_a_time_to_live_that_is_none_is_refused(ttl):
    with pytest.raises(ValueError, match="ttl"):
        PredictionCache(ttl)


def test_threads_may_read_and_write_at_once():
    cache = PredictionCache(1e-9)
    queries = [from_dict(PredictionQuery, {**QUERY, "model": f"m{number}"}) for number in range(5)]
    failures = []

    def work():
        try:
            for number in range(2000):
                cache.set(queries[number % 5], answer())
                cache.get(queries[(number + 1) % 5])
        except Exception as error:  # noqa: BLE001 - any at all is a failure
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(cache) <= 5
