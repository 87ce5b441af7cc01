import pytest

from mosaic_telemetry.engine.standing import Admission, plausible
from mosaic_telemetry.engine.store import COUNTS, IMPLAUSIBLE, ON_TRIAL, Instance, StoredEvent
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

DAY_MS = 86_400_000


def event(**changes):
    return from_dict(TaskCompletionEvent, {**EXAMPLES["TaskCompletionEvent"], "model": "claude-sonnet-4-5", "provider": "anthropic", **changes})


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"actual_cost_usd_micros": 0}, True),  # not known
        ({"actual_cost_usd_micros": 100_000_000}, False),  # a hundred dollars for a hundred thousand tokens
        ({"actual_cost_usd_micros": 15}, False),
        ({"actual_cost_usd_micros": 100_000_000, "provider": "ollama"}, True),  # nobody's money
        ({"actual_output_tokens": 9_000_000, "task_duration_ms": 60_000}, False),
        ({"actual_input_tokens": 10_000_000, "task_duration_ms": 1}, False),
        ({"actual_input_tokens": 10_000_000, "task_duration_ms": 3_600_000, "actual_cost_usd_micros": 4_000_000}, True),  # nearly all from the cache
        ({"model": "a model of our own", "actual_cost_usd_micros": 90_000}, True),
        ({"model": "a model of our own", "actual_input_tokens": 1000, "actual_output_tokens": 1000, "actual_cost_usd_micros": 90_000_000}, False),
    ],
)
def test_numbers_fit_each_other_or_do_not(changes, fits):
    base = {"actual_input_tokens": 100_000, "actual_output_tokens": 2_000, "task_duration_ms": 60_000, "actual_cost_usd_micros": 200_000}
    assert plausible(event(**base | changes)) == fits


def test_an_instance_is_on_trial_for_some_days_and_then_counts():
    instance = Instance(1, None, "", 100 * DAY_MS)
    good = StoredEvent(b"", 0, event())
    bad = StoredEvent(b"", 0, event(actual_output_tokens=9_000_000, task_duration_ms=1))
    admission = Admission(trial_days=7)
    assert [one.standing for one in admission.judge(instance, 107 * DAY_MS - 1, [good, bad])] == [ON_TRIAL, ON_TRIAL]
    assert [one.standing for one in admission.judge(instance, 107 * DAY_MS, [good, bad])] == [COUNTS, IMPLAUSIBLE]
