"""What many tasks of one person come to: their number is trusted on a server of one's own, and not among strangers."""

import random
from contextlib import contextmanager

import pytest

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.standing import Admission
from mosaic_telemetry.schema import PredictionQuery, TaskCompletionEvent, from_dict

pytestmark = pytest.mark.parametrize("new_database", ["sqlite", "postgres"], indirect=True)

KIND = {"task_type": "testing", "model": "one", "provider": "openai", "complexity": "low"}
QUERY = from_dict(PredictionQuery, KIND)


@contextmanager
def reported(database, make_event, counts, *, public):
    """An engine that has counted so many tasks of each of several instances."""
    rng = random.Random(1)
    with open_engine(database, admission=Admission(trial_days=0) if public else False) as engine:
        for count in counts:
            instance = engine.authenticate(engine.create_instance().api_key)
            amounts = [{"task_duration_ms": rng.randrange(60_000, 600_000), "actual_input_tokens": rng.randrange(10_000, 90_000)} for _ in range(count)]
            events = [from_dict(TaskCompletionEvent, make_event(instance.instance_id, **KIND, **amount)) for amount in amounts]
            assert engine.ingest(instance, events).accepted == count
        engine.roll_up()
        yield engine


def asked(engine):
    (answer,) = engine.predict([QUERY])
    return answer.metadata


def test_among_strangers_the_tasks_of_one_person_alone_are_no_answer(database, make_event):
    with reported(database, make_event, [300], public=True) as engine:
        assert (asked(engine).confidence, asked(engine).sample_size) == ("none", 0)


@pytest.mark.parametrize(("counts", "size", "confidence"), [((300, 1, 1, 1, 1), 24, "low"), ((300, 300, 19, 19, 19), 97, "medium"), ((300,) * 5, 100, "high")])
def test_among_strangers_it_takes_five_of_them_to_be_sure(database, make_event, counts, size, confidence):
    with reported(database, make_event, counts, public=True) as engine:
        metadata = asked(engine)
        assert (metadata.sample_size, metadata.confidence, metadata.fallback_level) == (size, confidence, 0)
        assert metadata.contributors == len(counts)


def test_on_a_server_of_ones_own_the_number_counts_and_the_answer_says_that_it_is_one_person(database, make_event):
    with reported(database, make_event, [100], public=False) as engine:
        metadata = asked(engine)
        assert (metadata.confidence, metadata.sample_size, metadata.contributors) == ("high", 100, 1)


def test_one_cheat_among_fifty_moves_what_is_published_by_little(database, make_event):
    rng = random.Random(2)

    def durations(count, factor):
        return [min(int(factor * rng.lognormvariate(11, 1)), 86_400_000) for _ in range(count)]

    with open_engine(database, admission=Admission(trial_days=0)) as engine:

        def report(count, factor):
            instance = engine.authenticate(engine.create_instance().api_key)
            events = [make_event(instance.instance_id, **KIND, task_duration_ms=one, actual_output_tokens=1_000) for one in durations(count, factor)]
            assert engine.ingest(instance, [from_dict(TaskCompletionEvent, event) for event in events]).accepted == count
            engine.roll_up()

        for _ in range(50):
            report(20, 1)
        honest = engine.predict([QUERY])[0]
        report(10_000, 100)
        cheated = engine.predict([QUERY])[0]
        assert (honest.metadata.sample_size, cheated.metadata.sample_size) == (1_000, 1_020)
        before, after = honest.prediction.duration_ms, cheated.prediction.duration_ms
        assert after["median"] <= 1.12 * before["median"]
        assert after["p90"] <= 1.3 * before["p90"]
