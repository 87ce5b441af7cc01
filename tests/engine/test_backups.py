import os
import threading

import pytest
from support.postgres import rows

from mosaic_telemetry.engine import DatabaseError, open_engine
from mosaic_telemetry.engine.backups import back_up, restore
from mosaic_telemetry.engine.store.postgres.dumps import apart
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


@pytest.fixture
def client_programs(monkeypatch, postgres):
    """PostgreSQL's own programs, of the server's version, come first."""
    monkeypatch.setenv("PATH", f"{postgres.programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def urls(postgres):
    """Two empty databases of PostgreSQL."""
    made = [postgres.database(), postgres.database()]
    yield made
    for url in made:
        postgres.drop(url)


@pytest.mark.usefixtures("client_programs")
def test_a_backup_of_postgresql_made_while_events_come_in_is_whole_and_goes_back(urls, tmp_path, make_event):
    source, target = urls
    backup = tmp_path / "backup.dump"
    with open_engine(source) as engine:
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
            back_up(source, backup)
        finally:
            done.set()
            writer.join()
    assert backup.stat().st_mode & 0o777 == 0o600
    restore(backup, target)
    with open_engine(target) as engine:
        engine.roll_up()
        assert engine.verify() == []
        assert engine.authenticate(key).instance_id == instance.instance_id
        report(10)
        kept = engine.sizes()
    with pytest.raises(DatabaseError, match="is not empty"):
        restore(backup, target)
    restore(backup, target, force=True)
    with open_engine(target) as engine:
        engine.roll_up()
        assert engine.verify() == []
        assert engine.sizes().keys() == kept.keys()
        report(10)
    assert [path.name for path in tmp_path.iterdir()] == ["backup.dump"]


@pytest.mark.usefixtures("client_programs")
def test_what_is_no_backup_of_postgresql_changes_nothing(urls, tmp_path, postgres):
    source, target = urls
    with open_engine(tmp_path / "t.db"), open_engine(source):
        pass
    (tmp_path / "text").write_text("no backup")
    for name, words in (("t.db", "admin copy"), ("text", "no backup of a PostgreSQL database"), ("none", "cannot read")):
        with pytest.raises(DatabaseError, match=words):
            restore(tmp_path / name, target)
    with pytest.raises(DatabaseError, match="no database of mosaic-telemetry"):
        back_up(target, tmp_path / "backup.dump")
    assert not (tmp_path / "backup.dump").exists()
    rows(source, "UPDATE mosaic_telemetry_tables SET version = 99")
    with pytest.raises(DatabaseError, match="newer"):
        back_up(source, tmp_path / "backup.dump")
    rows(source, "UPDATE mosaic_telemetry_tables SET version = 1")
    back_up(source, tmp_path / "cut.dump")
    whole = (tmp_path / "cut.dump").read_bytes()
    (tmp_path / "cut.dump").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(DatabaseError, match="pg_restore failed"):
        restore(tmp_path / "cut.dump", target)
    assert rows(target, "SELECT to_regclass('instances')") == [(None,)]
    with pytest.raises(DatabaseError, match="cannot be used at the moment"):
        back_up(postgres.url("postgres").replace(str(postgres.folder), "/nowhere"), tmp_path / "other.dump")


def test_postgresqls_programs_are_asked_for(urls, tmp_path, monkeypatch):
    with open_engine(urls[0]):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatabaseError, match="pg_dump is not installed"):
        back_up(urls[0], tmp_path / "backup.dump")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("client_programs")
def test_programs_that_are_too_old_are_told_so_in_one_line(urls, tmp_path, monkeypatch):
    source, target = urls
    with open_engine(source):
        pass
    dump = tmp_path / "backup.dump"
    back_up(source, dump)
    header = bytearray(dump.read_bytes())
    header[6] = 99  # after PGDMP: the version of the format, 1.99
    dump.write_bytes(header)
    with pytest.raises(DatabaseError, match="this pg_restore is older than"):
        restore(dump, target)
    old = tmp_path / "pg_dump"  # what an older one says
    lines = ("error: aborting because of server version mismatch", "detail: server version: 99.1; pg_dump version: 14.2")
    old.write_text("#!/bin/sh\n" + "".join(f"echo 'pg_dump: {line}' >&2\n" for line in lines) + "exit 1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(DatabaseError, match="this pg_dump is older than") as caught:
        back_up(source, tmp_path / "other.dump")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "other.dump").exists()


@pytest.mark.parametrize(
    ("dsn", "address", "password"),
    [
        ("postgresql://u:s%40t@h:5433/d?sslmode=require", "postgresql://u@h:5433/d?sslmode=require", "s@t"),
        ("postgres://h/d?password=x&host=%2Fvar%2Frun", "postgresql://h/d?host=%2Fvar%2Frun", "x"),
        ("postgresql:///d", "postgresql:///d", None),
        ("postgresql://", "postgresql://", None),
        ("postgresql://u@/d", "postgresql://u@/d", None),
    ],
)
def test_no_password_is_on_a_command_line(dsn, address, password):
    assert apart(dsn) == (address, {"PGPASSWORD": password} if password else {})


def test_clickhouse_has_its_own(tmp_path):
    with pytest.raises(DatabaseError, match="has its own BACKUP"):
        back_up("clickhouse://h/d?accounts=x.db", tmp_path / "b")
