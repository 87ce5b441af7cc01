"""Tasks tracked while they run: what they report, and that nothing of it ever disturbs the task."""

import asyncio
import inspect
import threading
import time

import pytest

from mosaic_telemetry import Complexity, Harness, Outcome, Provider, QualityGate, TaskType, current_task
from mosaic_telemetry.testing import capture_events


@pytest.fixture
def events():
    with capture_events() as captured:
        yield captured


def test_a_task_reports_what_was_said_of_it(client, events):
    with client.task(task_type="debugging", model="m", complexity="high", harness="aider", provider="openai", estimated_input_tokens=10) as task:
        task.add_usage(input_tokens=100, output_tokens=20, cost_usd_micros=5)
        task.add_usage(input_tokens=1, output_tokens=2, cost_usd=0.25)
        task.gate("build", passed=True)
        task.gate(QualityGate.TEST, passed=True)
        task.compacted()
        task.rotated(2)
        task.retried()
        task.set(language="python", repo_size_category="tiny", context_utilization_final=0.5)
    (event,) = events
    assert task.event is event
    assert (event.task_type, event.complexity, event.harness, event.provider, event.model) == ("debugging", "high", "aider", "openai", "m")
    assert (event.estimated_input_tokens, event.estimated_output_tokens, event.estimated_cost_usd_micros) == (10, 0, 0)
    assert (event.actual_input_tokens, event.actual_output_tokens, event.actual_cost_usd_micros) == (101, 22, 250_005)
    assert (event.quality_gates_run, event.quality_gates_failed, event.quality_gate_passed) == (("build", "test"), (), True)
    assert (event.context_compactions, event.context_rotations, event.retry_count) == (1, 2, 1)
    assert (event.language, event.repo_size_category, event.context_utilization_final) == ("python", "tiny", 0.5)
    assert event.outcome is Outcome.SUCCESS


def test_what_is_not_said_has_a_default(client, events):
    with client.task(model="m"):
        pass
    (event,) = events
    assert event.task_type is TaskType.UNKNOWN
    assert event.complexity is Complexity.MEDIUM
    assert event.harness is Harness.CUSTOM
    assert event.provider is Provider.UNKNOWN
    assert (event.actual_input_tokens, event.actual_output_tokens, event.actual_cost_usd_micros, event.retry_count) == (0, 0, 0, 0)
    assert (event.quality_gates_run, event.quality_gates_failed, event.quality_gate_passed) == ((), (), True)
    assert (event.language, event.repo_size_category) == (None, None)


def test_the_duration_is_the_time_in_the_block(client, events):
    began = time.monotonic()
    with client.task(model="m"):
        time.sleep(0.05)
    longest = (time.monotonic() - began) * 1000
    assert 50 <= events[0].task_duration_ms <= longest + 1


def test_an_event_of_a_task_arrives(client, server):
    with client.task(model="m"):
        pass
    assert client.flush(10)
    assert len(server.events) == 1


GATES = [
    ([], Outcome.SUCCESS, True),
    ([("test", True), ("lint", True)], Outcome.SUCCESS, True),
    ([("test", True), ("lint", False)], Outcome.PARTIAL, False),
    ([("test", False), ("lint", False)], Outcome.FAILURE, False),
    ([("test", False), ("test", True)], Outcome.SUCCESS, True),
    ([("test", True), ("lint", True), ("test", False)], Outcome.PARTIAL, False),
]


@pytest.mark.parametrize(("gates", "outcome", "passed"), GATES, ids=range(len(GATES)))
def test_the_outcome_follows_from_the_gates(client, events, gates, outcome, passed):
    with client.task(model="m") as task:
        for name, went in gates:
            task.gate(name, passed=went)
    last = dict(gates)
    assert events[0].outcome is outcome
    assert events[0].quality_gate_passed is passed
    assert events[0].quality_gates_run == tuple(last)
    assert events[0].quality_gates_failed == tuple(name for name, went in last.items() if not went)


RAISED = [
    (ValueError, Outcome.FAILURE),
    (TimeoutError, Outcome.TIMEOUT),
    (asyncio.TimeoutError, Outcome.TIMEOUT),
    (KeyboardInterrupt, Outcome.FAILURE),
    (SystemExit, Outcome.FAILURE),
    (asyncio.CancelledError, Outcome.FAILURE),
]


@pytest.mark.parametrize(("kind", "outcome"), RAISED, ids=lambda value: getattr(value, "__name__", ""))
def test_an_exception_passes_and_makes_the_outcome(client, events, kind, outcome):
    error = kind("x")

    def use():
        with client.task(model="m") as task:
            task.gate("test", passed=True)
            raise error

    with pytest.raises(kind) as caught:
        use()
    assert caught.value is error
    assert events[0].outcome is outcome
    assert current_task() is None


@pytest.mark.parametrize("said", ["partial", Outcome.PARTIAL])
def test_an_outcome_that_was_said_counts_more(client, events, said):
    def use():
        with client.task(model="m") as task:
            task.outcome = said
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        use()
    assert events[0].outcome is Outcome.PARTIAL


def test_sums_are_held_at_their_bounds(client, events):
    with client.task(model="m") as task:
        for _ in range(3):
            task.add_usage(input_tokens=9_000_000, output_tokens=2**62, cost_usd=1e6)
        task.compacted(101)
        task.rotated(51)
        task.retried(21)
    (event,) = events
    assert (event.actual_input_tokens, event.actual_output_tokens, event.actual_cost_usd_micros) == (10_000_000, 10_000_000, 100_000_000)
    assert (event.context_compactions, event.context_rotations, event.retry_count) == (100, 50, 20)


def test_the_current_task(client):
    assert current_task() is None
    with client.task(model="outer") as outer:
        assert current_task() is outer
        with client.task(model="inner") as inner:
            assert current_task() is inner
        assert current_task() is outer
    assert current_task() is None


def test_nested_tasks_report_each_their_own(client, events):
    with client.task(model="outer") as outer:
        outer.add_usage(input_tokens=1)
        with client.task(model="inner") as inner:
            inner.add_usage(input_tokens=2)
    assert [(event.model, event.actual_input_tokens) for event in events] == [("inner", 2), ("outer", 1)]
    assert events[1].task_duration_ms >= events[0].task_duration_ms


def test_threads_have_each_their_own_current_task(client):
    seen = []
    with client.task(model="m"):
        thread = threading.Thread(target=lambda: seen.append(current_task()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_async_with(client, events):
    async def work(name):
        async with client.task(model=name) as task:
            await asyncio.sleep(0.01)
            assert current_task() is task
            current_task().add_usage(input_tokens=len(name))

    async def both():
        await asyncio.gather(work("a"), work("bb"), work("ccc"))

    asyncio.run(both())
    assert sorted((event.model, event.actual_input_tokens) for event in events) == [("a", 1), ("bb", 2), ("ccc", 3)]


def test_an_exception_passes_async_with(client, events):
    async def work():
        async with client.task(model="m"):
            raise TimeoutError

    with pytest.raises(TimeoutError):
        asyncio.run(work())
    assert events[0].outcome is Outcome.TIMEOUT


def test_as_a_decorator_each_call_is_a_task_of_its_own(client, events):
    @client.task(model="m", task_type="testing")
    def work(count, *, more=0):
        """Do it."""
        current_task().add_usage(input_tokens=count + more)
        if count == 1:
            current_task().gate("test", passed=False)
        return count * 2

    assert [work(1), work(2, more=5)] == [2, 4]
    assert [(event.actual_input_tokens, event.outcome) for event in events] == [(1, "failure"), (7, "success")]
    assert len({event.event_id for event in events}) == 2
    assert (work.__name__, work.__doc__) == ("work", "Do it.")
    assert list(inspect.signature(work).parameters) == ["count", "more"]


def test_a_decorated_function_that_raises(client, events):
    @client.task(model="m")
    def work():
        raise KeyError("x")

    with pytest.raises(KeyError):
        work()
    assert events[0].outcome is Outcome.FAILURE


def test_a_decorated_function_that_calls_itself(client, events):
    @client.task(model="m")
    def work(depth):
        current_task().add_usage(input_tokens=depth)
        return depth and work(depth - 1)

    work(3)
    assert [event.actual_input_tokens for event in events] == [0, 1, 2, 3]


def test_as_a_decorator_of_a_coroutine_function(client, events):
    @client.task(model="m")
    async def work(count):
        await asyncio.sleep(0.02)
        current_task().add_usage(input_tokens=count)
        return count

    assert inspect.iscoroutinefunction(work)

    async def both():
        return await asyncio.gather(work(1), work(2))

    assert asyncio.run(both()) == [1, 2]
    assert sorted(event.actual_input_tokens for event in events) == [1, 2]
    assert all(event.task_duration_ms >= 20 for event in events)


def test_a_decorated_method(client, events):
    class Agent:
        @client.task(model="m")
        def work(self):
            return self

    agent = Agent()
    assert agent.work() is agent
    assert len(events) == 1


def test_a_disabled_client_runs_the_task_all_the_same(new_client, events):
    client = new_client(enabled=False)

    @client.task(model="m")
    def work():
        return 5

    assert work() == 5
    with client.task() as task:
        assert current_task() is task
        task.add_usage(input_tokens=1)
    assert events == []


def test_the_event_is_there_after_the_block(client, events):
    with client.task(model="m") as task:
        assert task.event is None
    assert task.event is events[0]
