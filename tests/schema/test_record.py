"""Records are frozen dataclasses to everybody else, and cost no import of `dataclasses`."""

import dataclasses
import inspect
import pickle
import subprocess
import sys
from copy import copy, deepcopy

import pytest
from support.events import fields

from mosaic_telemetry import EventBuilder, Stats, TaskCompletionEvent, TelemetryConfig, resolve_config
from mosaic_telemetry.schema.record import field, record


@record()
class Point:
    """Two numbers, and a note that `repr` does not show."""

    x: int
    y: int = 2
    note: str = field(default="", kw_only=True, repr=False, metadata={"doc": "why"})


@dataclasses.dataclass(frozen=True)
class Twin:
    """The same, as a dataclass."""

    x: int
    y: int = 2
    note: str = dataclasses.field(default="", kw_only=True, repr=False, metadata={"doc": "why"})


CALLS = [((1,), {}), ((1, 3), {}), ((), {"x": 1}), ((1,), {"y": 5, "note": "n"}), ((), {"note": "n", "y": 0, "x": None})]


@pytest.mark.parametrize(("places", "names"), CALLS)
def test_it_is_made_shown_and_compared_as_a_dataclass(places, names):
    one, twin = Point(*places, **names), Twin(*places, **names)
    assert repr(one) == repr(twin).replace("Twin", "Point")
    assert dataclasses.asdict(one) == dataclasses.asdict(twin)
    assert dataclasses.astuple(one) == dataclasses.astuple(twin)
    assert hash(one) == hash(twin)
    assert one == Point(*places, **names)
    assert one != twin
    assert one != Point(99)
    assert dataclasses.replace(one, x=7) == Point(7, one.y, note=one.note)
    for again in (copy(one), deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert again == one


@pytest.mark.parametrize(("places", "names"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})])
def test_a_wrong_call_is_a_type_error(places, names):
    for cls in (Twin, Point):
        with pytest.raises(TypeError):
            cls(*places, **names)


def test_it_cannot_be_changed():
    one = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="'x' of Point"):
        one.x = 2  # type: ignore[misc]  # what is tested
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.x
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.new = 1


@pytest.mark.parametrize("cls", [Point, TaskCompletionEvent, TelemetryConfig, Stats])
def test_what_others_look_for_in_a_dataclass_is_there(cls):
    assert dataclasses.is_dataclass(cls)
    assert [item.name for item in dataclasses.fields(cls)] == [item.name for item in cls.__record_fields__]
    assert [item.metadata for item in dataclasses.fields(cls)] == [item.metadata for item in cls.__record_fields__]
    assert list(inspect.signature(cls).parameters) == [item.name for item in cls.__record_fields__]
    assert cls.__dataclass_params__.frozen


def test_fields_look_the_same():
    assert [(item.name, item.type, item.default, item.kw_only, item.repr) for item in dataclasses.fields(Point)] == [
        (item.name, item.type, item.default, item.kw_only, item.repr) for item in dataclasses.fields(Twin)
    ]
    assert str(inspect.signature(Point)) == str(inspect.signature(Twin))
    assert Point.__match_args__ == Twin.__match_args__
    assert Point.y == Twin.y == 2
    assert not hasattr(Point, "x")


def test_a_resolved_configuration_is_one_as_well():
    config = resolve_config(TelemetryConfig("http://localhost:8000/", "k", "i"))
    changed = dataclasses.replace(config, batch_size=7)
    assert type(changed) is type(config)
    assert (changed.batch_size, changed.server_url) == (7, "http://localhost:8000")
    assert "'k'" not in repr(config)


def test_an_event_travels():
    event = EventBuilder(TelemetryConfig("http://localhost:8000", "k", "i")).build(**fields())
    assert pickle.loads(pickle.dumps(event)) == event
    assert dataclasses.replace(event, model="other").model == "other"


def test_reporting_imports_neither_dataclasses_nor_inspect(tmp_path):
    """They would be a third of the import of the SDK. Nor is anything imported that only sends."""
    code = """
import sys
from mosaic_telemetry import TelemetryClient, TelemetryConfig
client = TelemetryClient(TelemetryConfig("http://127.0.0.1:9", "k", "11111111-1111-4111-8111-111111111111", spool_dir=None))
with client.task(model="m"):
    pass
assert client.queue_size == 1, client.stats
heavy = {"dataclasses", "inspect", "http.client", "ssl", "socket", "asyncio", "logging", "email"} & set(sys.modules)
import os
os._exit(bool(heavy) and print(heavy) is None)
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
