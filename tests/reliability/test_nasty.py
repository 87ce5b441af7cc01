"""Whatever is passed: nothing raises into the host, and no good event beside it is lost. With the spool, as by default."""

import datetime as dt
import decimal
import logging
import math
import pickle
import threading

import pytest
from support.events import fields
from support.waiting import wait_for

from mosaic_telemetry import PredictionQuery, TaskCompletionEvent, TelemetryClient, TelemetryConfig, ValidationError
from mosaic_telemetry.schema import from_dict


def explode(*_: object, **__: object):
    raise RuntimeError("hostile")


_NAMES = ("repr", "str", "eq", "hash", "iter", "len", "bool", "index", "int", "float", "lt", "le", "gt", "ge", "add", "radd", "mul", "getitem", "format")
_TRAPS = dict.fromkeys((f"__{name}__" for name in _NAMES), explode)


def hostile(base: type, *arguments: object) -> object:
    """An instance of a subclass of `base` all of whose special methods raise."""
    traps = {name: trap for name, trap in _TRAPS.items() if base is object or hasattr(base, name) or name == "__bool__"}
    return type(f"Hostile{base.__name__.title()}", (base,), traps)(*arguments)


circle: list[object] = []
circle.append(circle)
deep: list[object] = []
for _ in range(100_000):
    deep = [deep]
NASTY = {
    "None": None,
    "circle": circle,
    "deep": deep,
    "surrogate": "\ud800",
    "NUL": "\0",
    "long": "x" * 1_000_000,
    "huge int": 10**5000,
    "minus": -1,
    "NaN": math.nan,
    "infinity": math.inf,
    "bytes": b"\xff",
    "complex": 1j,
    "decimal": decimal.Decimal("NaN"),
    "date": dt.datetime.now(tz=dt.UTC),
    "object": object(),
    "class": TaskCompletionEvent,
    "function": explode,
    "generator": (number for number in (1, 2)),
    "set": {1, "a"},
    "lock": threading.Lock(),
    "hostile object": hostile(object),
    "hostile int": hostile(int, 5),
    "hostile float": hostile(float, 0.5),
    "hostile str": hostile(str, "success"),
    "hostile list": hostile(list, ["build"]),
    "hostile dict": hostile(dict),
    "hostile exception": hostile(ValueError, "x"),
}
nasty = pytest.mark.parametrize("kind", NASTY)  # by name: pytest itself looks at parameters, which some do not stand


@pytest.fixture
def used(new_client, new_event, server):
    """A started client; afterwards its good events, and no others of ours, must have arrived."""
    client = new_client()
    client.start()
    good = [new_event() for _ in range(2)]
    client.track(good[0])
    yield client
    client.track(good[1])
    assert client.stop(20)
    assert {event.event_id for event in good} <= set(server.events)
    assert (client.stats.last_error or "").isprintable(), "an error is one line that any log can hold"


@nasty
def test_track(used, kind):
    used.track(NASTY[kind])
    assert used.stats.last_error is not None


@nasty
@pytest.mark.parametrize("name", ["event_id", "instance_id", "model", "retry_count", "quality_gates_run", "outcome", "language", "context_utilization_final"])
def test_an_event_that_holds_it(used, new_event, name, kind):
    event = new_event()
    vars(event)[name] = NASTY[kind]  # past the constructor, which is the caller's own line
    used.track(event)


@nasty
def test_build_raises_nothing_but_what_it_says(used, kind):
    for name in fields():
        try:
            used.event_builder.build(**{**fields(), name: NASTY[kind]})
        except ValidationError as error:  # either outcome is right
            text = str(error)
            assert name in text
            assert text.isprintable()
    for whole in ({"x": NASTY[kind]}, {**fields(), "another": NASTY[kind]}):
        with pytest.raises(ValidationError):
            used.event_builder.build(**whole)


@nasty
def test_task(used, server, kind):
    value = NASTY[kind]
    for name in ("model", "task_type", "outcome", "language", "retry_count", "no_such_field"):
        with used.task(**{"model": "m", name: value}) as task:
            task.set(**{name: value})
    with used.task(model="good") as task:
        task.add_usage(input_tokens=value, output_tokens=value, cost_usd_micros=value, cost_usd=value)
        task.gate(value, passed=value)
        task.gate("build", passed=value)
        task.compacted(value)
        task.rotated(value)
        task.retried(value)
        task.outcome = value
    assert used.flush(20)
    assert [event["model"] for event in server.events.values()].count("good") == 1


@nasty
@pytest.mark.parametrize("call", ["flush", "stop"])
def test_timeouts(used, kind, call):
    if kind == "None":
        pytest.skip("None is the default")
    assert getattr(used, call)(NASTY[kind]) in {True, False}


@nasty
def test_predictions(used, kind):
    value = NASTY[kind]
    query = from_dict(PredictionQuery, {"task_type": "testing", "model": "m", "provider": "openai", "complexity": "low"})
    assert used.get_prediction(value) is None
    assert used.predict(value, 0.05) is None
    used.predict(query, value)
    assert used.refresh_predictions([value]) is False
    if kind != "None":
        used.refresh_predictions(value)


@pytest.mark.parametrize("kind", [kind for kind in NASTY if "hostile" not in kind])
def test_configurations(settings, kind):
    """Here a mistake is told at once, by the one exception that is documented."""
    for name in TelemetryConfig.__dataclass_fields__:
        try:
            TelemetryConfig(**{**settings(), name: NASTY[kind]})
        except ValidationError as error:  # either outcome is right
            text = str(error)
            assert name in text


def test_an_event_that_is_changed_after_it_was_tracked(new_client, new_event, server):
    client = new_client()
    gates = ["build"]
    event = TaskCompletionEvent(**{**vars(new_event()), "quality_gates_run": gates})
    client.track(event)
    gates.append(object())
    vars(event)["model"] = object()
    assert client.stop(20)
    assert server.events[event.event_id]["quality_gates_run"] == ["build"]
    assert server.events[event.event_id]["model"] == "claude-sonnet-4-5"


def test_a_client_travels_as_its_configuration(new_client, new_event, server):
    client = new_client(on_error=lambda _: None)
    client.start()
    client.track(new_event())
    twin = pickle.loads(pickle.dumps(client))
    assert isinstance(twin, TelemetryClient)
    assert (twin.queue_size, twin.is_running, twin.config.on_error) == (0, False, None)
    twin.track(new_event())
    assert twin.stop(20)
    assert client.stop(20)
    assert len(server.events) == 2


def test_a_log_that_is_routed_through_us_ends(new_client, new_event, server):
    """Each log line becomes an event, also those that we write about our own trouble."""

    class Handler(logging.Handler):
        def emit(self, _record):
            seen.append(threading.current_thread().name)
            client.track(new_event())
            client.track("not an event")

    seen: list[str] = []
    client = new_client(max_queue_size=3, max_retries=0, on_error=None)
    logger, handler = logging.getLogger(), Handler()
    logger.addHandler(handler)
    try:
        client.start()
        server.fail(500, times=2)
        for _ in range(10):
            client.track(new_event())
            client.track("nasty")
        client.flush(5)
        client.flush(5)
        logging.getLogger("host").warning("from the host")
    finally:
        logger.removeHandler(handler)
    assert len(seen) == 2, "one line of ours a minute, and the host's"
    wait_for(lambda: client.flush(5), 30)
