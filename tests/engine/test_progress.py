"""Work that can take long tells how far it is: never backwards, and to its end."""

import numpy as np
import pytest
from support.events import fields

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.backups import back_up, restore
from mosaic_telemetry.engine.copying import copy_database
from mosaic_telemetry.forecast.backtest import Table, Task, backtest, by_group
from mosaic_telemetry.schema import TaskCompletionEvent

EVENTS = 6000


class Told(list):
    """Progress as it was told."""

    def __call__(self, done, most):
        self.append((done, most))

    def holds(self):
        """It never falls, and never passes what there is."""
        assert self, "something was told"
        assert self == sorted(self)
        assert len({most for _, most in self}) == 1
        assert self[-1][0] <= self[-1][1]
        return self[-1]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("progress") / "telemetry.db"
    with open_engine(path, keep=False) as engine:
        instance = engine.local_instance()
        auto = {"instance_id": str(instance.instance_id), "schema_version": "1.0", "timestamp": "2026-02-07T10:00:00Z"}
        engine.ingest(instance, [TaskCompletionEvent(event_id=f"00000000-0000-7000-8000-{n:012}", **auto, **fields()) for n in range(EVENTS)])
    return path


def test_backup_and_restore_tell_bytes(database, tmp_path):
    saved, restored = Told(), Told()
    back_up(database, tmp_path / "backup.db", progress=saved)
    restore(tmp_path / "backup.db", tmp_path / "restored.db", progress=restored)
    size = (tmp_path / "backup.db").stat().st_size
    for told in (saved, restored):
        _, most = told.holds()
        assert size * 0.8 < most < size * 1.2


def test_copying_and_comparing_are_two_halves(database, tmp_path):
    told = Told()
    copy_database(database, tmp_path / "copy.db", told)
    assert told.holds() == (2 * EVENTS, 2 * EVENTS)
    assert (EVENTS, 2 * EVENTS) in told


def test_counting_and_erasing_tell_the_place_in_the_order_of_events(database, tmp_path):
    copy_database(database, tmp_path / "copy.db")
    counted, erased, nothing = Told(), Told(), Told()
    with open_engine(tmp_path / "copy.db", keep=False) as engine:
        engine.roll_up(counted)
        engine.roll_up(nothing)
        assert engine.erase(engine.local_instance(), erased) == EVENTS
    assert counted.holds()[1] == EVENTS
    assert len(counted) > 2
    assert erased.holds() == (EVENTS, EVENTS)
    assert nothing == []


def test_a_backtest_tells_its_looks():
    draw = np.random.default_rng(1)
    tasks = [Task("testing", "m", "openai", "low", {"actual_cost_usd_micros": float(draw.integers(1, 9))}, f"g{n % 20}") for n in range(60)]
    table, told = Table.of(tasks), Told()
    assert backtest(table, "actual_cost_usd_micros", by_group(table, draw), draw, 1, progress=told)
    done, most = told.holds()
    assert done == most == len(told)
