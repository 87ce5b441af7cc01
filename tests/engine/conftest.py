import uuid
from types import SimpleNamespace

import pytest

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.store.sqlite import SqliteStore
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES


@pytest.fixture
def make_event():
    """A new valid event as JSON values, with changes."""

    def make(instance_id=None, **changes):
        event = {**EXAMPLES["TaskCompletionEvent"], "event_id": str(uuid.uuid4()), **changes}
        return event if instance_id is None else {**event, "instance_id": str(instance_id)}

    return make


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


@pytest.fixture
def house(tmp_path, make_event):
    """An engine on a new database, with an instance, and a way to report events of it."""
    path = tmp_path / "telemetry.db"
    with open_engine(path) as engine:
        instance = engine.authenticate(engine.create_instance("test").api_key)

        def report(*changes, count=1):
            events = [make_event(instance.instance_id, **change) for change in changes for _ in range(count)]
            return engine.ingest(instance, [from_dict(TaskCompletionEvent, event) for event in events])

        yield SimpleNamespace(path=path, engine=engine, instance=instance, report=report)
