"""`export`: what was reported comes out again, in every form."""

import csv
import json
import os
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.events import fields
from support.server import COMMAND, ServerProcess, create_instance

from mosaic_telemetry import TaskCompletionEvent
from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.exporting import NAMES, Wanted, export_events
from mosaic_telemetry.schema import encode, from_dict, to_dict

START = datetime(2026, 2, 1, tzinfo=UTC)
GATES = ["build", "lint", "test"]


class Instance:
    """One that reports events."""

    instance_id = uuid.UUID(int=4)


def events(instance, count, first=0):
    """Events of a task an hour."""
    return [
        from_dict(
            TaskCompletionEvent,
            fields(
                model='gpt-5, "the" one\n=1+1' if number % 3 else "claude-sonnet-4-5",
                quality_gate_passed=bool(number % 2),
                quality_gates_run=GATES[: number % 4],
                language=None if number % 2 else "c++",
                repo_size_category=None if number % 5 else "huge",
                context_utilization_final=(number % 100) / 100,
                actual_input_tokens=number,
            )
            | {
                "instance_id": str(instance.instance_id),
                "event_id": str(uuid.UUID(int=(7 << 76) | (2 << 62) | (first + number))),
                "schema_version": "1.0",
                "timestamp": (START + timedelta(hours=number, milliseconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            },
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A database of two instances, and what each reported."""
    path = tmp_path_factory.mktemp("export") / "telemetry.db"
    reported = {}
    with open_engine(path) as engine:
        for place, name in enumerate(("laptop", "ci")):
            instance = engine.authenticate(engine.create_instance(name).api_key)
            reported[name] = events(instance, 60, first=1000 * place)
            engine.ingest(instance, reported[name])
    return path, reported


def run(*words, database, **more):
    own = {name: value for name, value in os.environ.items() if not name.startswith("MOSAIC_TELEMETRY_")}
    return subprocess.run([*COMMAND, "export", "--database", str(database), *words], env=own, capture_output=True, text=True, timeout=60, check=False, **more)


def as_lines(reported):
    return [to_dict(event) for event in reported]


def typed(row):
    """A row of CSV as the values that it was made of."""
    texts = {"instance_id", "event_id", "schema_version", "timestamp", "task_type", "complexity", "harness", "model", "provider", "outcome"}
    return {
        name: value if name in texts else (value or None) if name in {"language", "repo_size_category"} else json.loads(value) for name, value in row.items()
    }


def test_json_lines_are_what_was_reported(stored):
    path, reported = stored
    done = run(database=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == as_lines([*reported["laptop"], *reported["ci"]])
    assert [encode(event).decode() for event in reported["laptop"][:3]] == done.stdout.splitlines()[:3]


def test_csv_holds_the_same(stored):
    path, reported = stored
    done = run("--format", "csv", database=path)
    assert done.returncode == 0
    rows = list(csv.DictReader(StringIO(done.stdout)))
    assert list(rows[0]) == list(NAMES)
    assert [typed(row) for row in rows] == as_lines([*reported["laptop"], *reported["ci"]])


def test_parquet_holds_the_same_with_types(stored, tmp_path):
    arro3 = pytest.importorskip("arro3.io")
    path, reported = stored
    done = run("--output", str(tmp_path / "t.parquet"), "--json", database=path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["format"], said["events"]) == ("parquet", 120)
    table = arro3.read_parquet(tmp_path / "t.parquet").read_all()
    assert table.column_names == list(NAMES)
    assert 'Timestamp(ms, "UTC")' in str(table.schema.field("timestamp").type)
    columns = {name: table[name].to_pylist() for name in NAMES}
    rows = [dict(zip(NAMES, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for row in rows:
        row["timestamp"] = row["timestamp"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert rows == as_lines([*reported["laptop"], *reported["ci"]])


def test_days_and_instances_are_chosen(stored):
    path, reported = stored
    second = [event for event in reported["ci"] if event.timestamp.startswith("2026-02-02")]
    done = run("--since", "2026-02-02", "--until", "2026-02-02", "--instance", "ci", database=path)
    assert [json.loads(line) for line in done.stdout.splitlines()] == as_lines(second)
    by_id = run("--instance", reported["ci"][0].instance_id.upper(), database=path)
    assert len(by_id.stdout.splitlines()) == 60
    nobody = run("--instance", "nobody", database=path)
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "laptop (" in nobody.stderr
    assert len(nobody.stderr.splitlines()) == 1
    assert run("--since", "2026-02-03", "--until", "2026-02-02", database=path).returncode == 2


def test_what_was_exported_is_taken_in_again(tmp_path):
    with ServerProcess(tmp_path / "t.db") as server:
        access = create_instance(server.database)
        sent = [to_dict(event) | {"instance_id": access.instance_id} for event in events(Instance, 60)]
        assert server.request("POST", "/v1/events/batch", {"events": sent}, key=access.api_key)[1]["accepted"] == 60
        lines = run(database=server.database).stdout.splitlines()
        assert [json.loads(line) for line in lines] == sent
        assert server.request("DELETE", f"/v1/instances/{access.instance_id}/events", key=access.api_key)[1]["erased"] == 60
        assert run(database=server.database).stdout == ""
        body = f'{{"events":[{",".join(lines)}]}}'.encode()
        assert server.request("POST", "/v1/events/batch", body, key=access.api_key)[1]["accepted"] == 60
        assert run(database=server.database).stdout.splitlines() == lines


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_backtest_reads_it(stored, tmp_path, form):
    path, _ = stored
    assert run("--output", str(tmp_path / f"t.{form}"), database=path).returncode == 0
    done = subprocess.run(
        [*COMMAND, "backtest", str(tmp_path / f"t.{form}"), "--ages", "0", "--json"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data_sets"][0]["rows"] == 120


def test_while_a_server_writes(tmp_path):
    with ServerProcess(tmp_path / "t.db") as server:
        access = create_instance(server.database)
        with open_engine(server.database, keep=False) as engine:
            instance = engine.accounts.instance(uuid.UUID(access.instance_id))
            engine.ingest(instance, events(instance, 50))
            portions = export_events(server.database, Wanted())
            first = next(portions)
            engine.ingest(instance, events(instance, 50, first=5000))  # nobody waits, and nothing of it is read
            assert len(first) + sum(map(len, portions)) == 50
        assert len(run(database=server.database).stdout.splitlines()) == 100


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path):
    with open_engine(tmp_path / "t.db", keep=False) as engine:
        instance = engine.local_instance()
        engine.ingest(instance, events(instance, 11_000))  # more than are read at a time
    with subprocess.Popen([*COMMAND, "export", "--database", str(tmp_path / "t.db")], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


def test_files_are_whole_or_not_there(stored, tmp_path):
    path, _ = stored
    there = tmp_path / "t.csv"
    there.write_text("mine")
    refused = run("--output", str(there), database=path)
    assert (refused.returncode, there.read_text()) == (1, "mine")
    assert "--force" in refused.stderr
    nobody = run("--output", str(there), "--force", "--instance", "nobody", database=path)
    assert (nobody.returncode, there.read_text()) == (1, "mine")
    assert run("--output", str(there), "--force", database=path).stdout.startswith("120 events in ")
    assert list(tmp_path.iterdir()) == [there]
    nowhere = run("--output", str(tmp_path / "no" / "t.csv"), database=path)
    assert (nowhere.returncode, len(nowhere.stderr.splitlines())) == (1, 1)


@pytest.mark.parametrize(
    ("words", "said"), [(["--format", "parquet"], "--output"), (["--json"], "--output"), (["--since", "soon"], "is no day"), (["--format", "xls"], "jsonl")]
)
def test_what_cannot_be_is_said(stored, words, said):
    done = run(*words, database=stored[0])
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    done = run(database=tmp_path / "none.db")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert not (tmp_path / "none.db").exists()


@settings(max_examples=30, deadline=None)
@given(text=st.text(min_size=1, max_size=100).filter(lambda text: text.strip()), ms=st.integers(0, 4_000_000_000_000))
def test_every_model_name_and_time_comes_back(tmp_path_factory, text, ms):
    path = tmp_path_factory.mktemp("laws") / "t.db"
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    with open_engine(path, keep=False) as engine:
        instance = engine.local_instance()
        try:
            event = from_dict(TaskCompletionEvent, to_dict(events(instance, 1)[0]) | {"model": text, "timestamp": moment})
        except ValueError:
            return  # no text that an event may hold
        engine.ingest(instance, [event])
    (row,) = (row for some in export_events(path, Wanted()) for row in some)
    values = dict(zip(NAMES, row, strict=True))
    assert (values["model"], values["timestamp"]) == (event.model, ms)
