"""The events of a database as rows; `tests/cli/test_export.py` has what they become."""

import uuid
from itertools import chain

import pytest
from support.events import fields

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.copying import copy_database
from mosaic_telemetry.engine.exporting import NAMES, Wanted, export_events
from mosaic_telemetry.schema import TaskCompletionEvent


@pytest.fixture
def filled(tmp_path):
    """A SQLite file with seven events."""
    path = tmp_path / "telemetry.db"
    with open_engine(path) as engine:
        instance = engine.local_instance()
        auto = {"instance_id": str(instance.instance_id), "schema_version": "1.0", "timestamp": "2026-02-07T10:00:00.123Z"}
        odd = {"quality_gate_passed": False, "quality_gates_run": [], "language": None}
        engine.ingest(instance, [TaskCompletionEvent(event_id=str(uuid.UUID(int=n)), **auto, **fields(**(odd if n % 2 else {}))) for n in range(7)])
    return path


def test_postgresql_gives_what_sqlite_gives(filled, postgres):
    target = postgres.database()
    copy_database(filled, target)
    one, other = (list(chain.from_iterable(export_events(database, Wanted()))) for database in (filled, target))
    assert one == other
    assert len(one) == 7
    assert {type(dict(zip(NAMES, row, strict=True))["quality_gate_passed"]) for row in other} == {bool}


def test_progress_ends_at_the_last_event(filled):
    told = []
    for _ in export_events(filled, Wanted(), lambda done, last: told.append((done, last))):
        pass
    assert told == [(7, 7)]
