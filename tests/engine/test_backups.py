import threading

import pytest

from mosaic_telemetry.engine import DatabaseError, open_engine
from mosaic_telemetry.engine.backups import back_up, restore
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict


def test_a_backup_made_while_events_come_in_is_whole_and_goes_back(tmp_path, make_event):
    path, backup, again = tmp_path / "t.db", tmp_path / "backup.db", tmp_path / "again.db"
    with open_engine(path) as engine:
        key = engine.create_instance("laptop").api_key
        instance = engine.authenticate(key)

        def report(count):
            engine.ingest(instance, [from_dict(TaskCompletionEvent, make_event(instance.instance_id)) for _ in range(count)])

        report(100)
        done = threading.Event()

        def go_on():
            while not done.is_set():
                report(10)

        writer = threading.Thread(target=go_on)
        writer.start()
        try:
            back_up(path, backup)
        finally:
            done.set()
            writer.join()
    assert backup.stat().st_mode & 0o777 == 0o600
    restore(backup, again)
    with open_engine(again) as engine:
        engine.roll_up()
        assert engine.verify() == []
        assert engine.authenticate(key).instance_id == instance.instance_id
    assert not list(tmp_path.glob(".*"))


def test_nothing_is_overwritten_unasked_and_damage_is_refused(tmp_path):
    path, backup = tmp_path / "t.db", tmp_path / "backup.db"
    with open_engine(path) as engine:
        engine.create_instance("kept")
    back_up(path, backup)
    with pytest.raises(DatabaseError, match="is there already"):
        back_up(path, backup)
    with pytest.raises(DatabaseError, match="is there already"):
        restore(backup, path)
    restore(backup, path, force=True)
    with open_engine(path) as engine:
        assert [instance.name for instance in engine.accounts.instances()] == ["kept"]
    backup.write_bytes(backup.read_bytes()[:5000] + b"\xff" * 8000)
    before = path.read_bytes()
    with pytest.raises(DatabaseError):
        restore(backup, path, force=True)
    assert path.read_bytes() == before


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DatabaseError, match="there is no database"):
        back_up(tmp_path / "none.db", tmp_path / "backup.db")
    assert not list(tmp_path.iterdir())
