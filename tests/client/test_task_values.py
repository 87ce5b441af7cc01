"""Values of a task that do not fit: reported, left out, and never raised into the task."""

import contextlib

import pytest

from mosaic_telemetry import QualityGate, ValidationError
from mosaic_telemetry.testing import capture_events


@pytest.fixture
def events():
    with capture_events() as captured:
        yield captured


def explode(*_: object, **__: object):
    raise RuntimeError("hostile")


HOSTILE = ("__repr__", "__str__", "__eq__", "__hash__", "__bool__", "__index__", "__float__", "__int__", "__lt__", "__le__", "__gt__", "__ge__", "__getattr__")
Hostile = type("Hostile", (), dict.fromkeys(HOSTILE, explode))
HostileInt = type(
    "HostileInt", (int,), dict.fromkeys(("__repr__", "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__", "__int__", "__add__", "__radd__"), explode)
)
HostileFloat = type(
    "HostileFloat", (float,), dict.fromkeys(("__repr__", "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__", "__mul__", "__float__"), explode)
)


BAD_COUNTS = [-1, 1.5, None, "5", True, float("nan"), float("inf"), [], Hostile(), 10**400]


@pytest.mark.parametrize("number", range(len(BAD_COUNTS)))  # pytest itself looks at a parameter, which a hostile one does not stand
def test_a_count_that_is_none_is_reported_and_left_out(client, events, errors, number):
    bad = BAD_COUNTS[number]
    with client.task(model="m") as task:
        task.add_usage(input_tokens=5)
        task.add_usage(input_tokens=bad)
        task.add_usage(output_tokens=bad, input_tokens=2)
        task.add_usage(cost_usd_micros=bad)
        task.compacted(bad)
        task.rotated(bad)
        task.retried(bad)
        task.add_usage(input_tokens=1)
    (event,) = events
    assert event.actual_input_tokens == 8
    assert (event.actual_output_tokens, event.actual_cost_usd_micros, event.context_compactions, event.retry_count) == (0, 0, 0, 0)
    assert len(errors) == 6
    assert all(isinstance(error, ValidationError) and str(error).isprintable() for error in errors)


BAD_COSTS = [-0.01, None, "5", True, float("nan"), float("inf"), [], Hostile(), HostileFloat(1.0), 10**400]


@pytest.mark.parametrize("number", range(len(BAD_COSTS)))
def test_a_cost_that_is_none_is_reported_and_left_out(client, events, errors, number):
    with client.task(model="m") as task:
        task.add_usage(cost_usd=0.5)
        task.add_usage(cost_usd=BAD_COSTS[number])
    assert events[0].actual_cost_usd_micros == 500_000
    assert len(errors) == 1


@pytest.mark.parametrize("cost", [1e300, 1e305, 1.7e308])
def test_a_cost_beyond_all_bounds_is_held_at_the_bound(client, events, cost):
    with client.task(model="m") as task:
        task.add_usage(cost_usd=cost)
    assert events[0].actual_cost_usd_micros == 100_000_000


@pytest.mark.parametrize("number", range(5))
def test_a_gate_that_is_none_is_reported_and_left_out(client, events, errors, number):
    with client.task(model="m") as task:
        task.gate("lint", passed=True)
        task.gate(("vibes", None, 5, [], Hostile())[number], passed=True)
        task.gate("test", passed=Hostile())
    assert events[0].quality_gates_run == ("lint",)
    assert len(errors) == 2


BAD_FIELDS = [
    {"language": "x" * 31},
    {"task_type": "nonsense"},
    {"complexity": None},
    {"provider": Hostile()},
    {"estimated_input_tokens": -1},
    {"context_utilization_final": 1.5},
    {"outcome": "great"},
    {"colour": "red"},
    {"event_id": "mine"},
]


@pytest.mark.parametrize("number", range(len(BAD_FIELDS)))
def test_a_field_that_does_not_fit_is_reported_and_left_out(client, events, errors, number):
    bad = BAD_FIELDS[number]
    with client.task(model="start", **bad) as task:
        task.add_usage(input_tokens=5)
    with client.task(model="end") as task:
        task.add_usage(input_tokens=5)
        task.set(**bad)
    assert len(errors) == 2
    assert all(next(iter(bad)) in str(error) for error in errors)
    assert [(event.model, event.actual_input_tokens) for event in events] == [("start", 5), ("end", 5)], "one bad field loses nothing beside it"


WHAT_HAPPENED = [([], None, "success"), ([False], None, "failure"), ([True, False], None, "partial"), ([], KeyError, "failure"), ([], TimeoutError, "timeout")]


@pytest.mark.parametrize("bad", ["great", 5, ["success"]], ids=repr)
def test_an_outcome_that_is_none_is_reported_and_left_to_what_happened(client, events, errors, bad):
    for gates, error, _ in WHAT_HAPPENED:
        with contextlib.suppress(LookupError, TimeoutError), client.task(model="m") as task:
            task.outcome = bad
            for name, passed in zip(QualityGate, gates, strict=False):
                task.gate(name, passed=passed)
            if error is not None:
                raise error
    assert [event.outcome for event in events] == [outcome for _, _, outcome in WHAT_HAPPENED]
    assert len(errors) == len(WHAT_HAPPENED)


def test_an_outcome_that_is_hostile_never_raises(client, events, errors):
    with client.task(model="m") as task:
        task.outcome = Hostile()
    assert [event.outcome for event in events] == ["success"]
    assert len(errors) == 1


def test_an_integer_with_code_of_its_own_never_raises(client, events):
    with client.task(model="m") as task:
        task.add_usage(input_tokens=HostileInt(3), cost_usd_micros=HostileInt(-1))
        task.add_usage(input_tokens=5)
    assert events[0].actual_input_tokens in {5, 8}


def test_a_task_without_a_model_is_reported_and_kept(client, events, errors):
    with client.task() as task:
        task.add_usage(input_tokens=5)
    assert len(errors) == 1
    assert "model: missing" in str(errors[0])
    assert [(event.model, event.actual_input_tokens) for event in events] == [("unknown", 5)]
