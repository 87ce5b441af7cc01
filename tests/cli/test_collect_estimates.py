"""Estimates of collected tasks, from a real database that knew such tasks before, or only afterwards."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest
from support.server import COMMAND, ServerProcess, create_instance
from support.transcripts import RECORDINGS
from support.waiting import wait_for

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import PredictionQuery, TaskCompletionEvent, from_dict

DAY_S = 86_400
NAMES = ("estimated_input_tokens", "estimated_output_tokens", "estimated_cost_usd_micros")


def environment(home):
    prefixes = ("MOSAIC_TELEMETRY_", "TELEMETRY_", "CLAUDE_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(prefixes) and name != "DO_NOT_TRACK"}
    return own | {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "XDG_DATA_HOME": str(home / "data")}


def run(home, *words):
    command = [*COMMAND, "collect", "claude-code", str(RECORDINGS), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(home), check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def events_of(home, *words):
    return [json.loads(line) for line in run(home, "--dry-run", "--json", *words).splitlines()]


def known(event, database, at):
    """Fill a database with seven tasks of an event's kind, counted at `at` (seconds since 1970); returns what it then predicts."""
    with open_engine(database, now=lambda: at) as engine:
        instance = engine.local_instance()
        like = replace(from_dict(TaskCompletionEvent, event), instance_id=str(instance.instance_id))
        tasks = [
            replace(like, event_id=f"{number:08}-0000-7000-8000-000000000000", actual_input_tokens=1000 * number, actual_output_tokens=10 * number)
            for number in range(1, 8)
        ]
        assert engine.ingest(instance, tasks).accepted == 7
        engine.roll_up()
    query = {name: event[name] for name in ("task_type", "model", "provider", "complexity")}
    with open_engine(database, keep=False) as engine:
        return engine.predict([from_dict(PredictionQuery, query)])[0].prediction


@pytest.fixture
def before(tmp_path):
    """An event as it is while nothing is known, and when its task ended."""
    event = events_of(tmp_path, "--database", tmp_path / "none.db")[0]
    assert not (tmp_path / "none.db").exists()
    assert [event[name] for name in NAMES] == [0, 0, 0]
    return event, datetime.fromisoformat(event["timestamp"]).timestamp()


def test_what_was_predicted_before_the_task_is_its_estimate(tmp_path, before):
    event, ended = before
    database = tmp_path / "telemetry.db"
    predicted = known(event, database, ended - DAY_S)
    found = events_of(tmp_path, "--database", database)[0]
    assert [found[name] for name in NAMES] == [
        round(predicted.input_tokens.median),
        round(predicted.output_tokens.median),
        round(predicted.cost_usd_micros["median"]),
    ]
    assert found["estimated_input_tokens"] > 0
    assert found | dict.fromkeys(NAMES, 0) == event
    audit = json.loads(run(tmp_path, "--audit", "--json", "--database", database))["audit"][0]["numbers"]
    for name in NAMES:
        assert audit[name]["value"] == found[name]
        assert "before the task began: 7 tasks" in audit[name]["rule"]


def test_what_is_only_known_afterwards_is_no_estimate(tmp_path, before):
    event, ended = before
    database = tmp_path / "telemetry.db"
    assert known(event, database, ended + 60) is not None
    assert events_of(tmp_path, "--database", database)[0] == event
    audit = json.loads(run(tmp_path, "--audit", "--json", "--database", database))["audit"][0]["numbers"]
    assert audit["estimated_input_tokens"]["rule"] == "0: no prediction from before the task is known"


def test_the_event_that_is_reported_holds_the_estimate_as_the_dry_run_showed_it(tmp_path, before):
    event, ended = before
    database = tmp_path / "telemetry.db"
    known(event, database, ended - DAY_S)
    shown = events_of(tmp_path, "--database", database)
    server = tmp_path / "server.db"
    access = create_instance(server)
    with ServerProcess(server) as process:
        report = json.loads(
            run(tmp_path, "--json", "--database", database, "--server", process.url, "--api-key", access.api_key, "--instance-id", access.instance_id)
        )
        assert report["accepted"] == len(shown) == 3
    with closing(sqlite3.connect(server)) as connection:
        rows = connection.execute("SELECT event_id, estimated_input_tokens, estimated_output_tokens, estimated_cost_usd_micros FROM events").fetchall()
    assert {str(UUID(bytes=row[0])): row[1:] for row in rows} == {one["event_id"]: tuple(one[name] for name in NAMES) for one in shown}
    assert any(row[1] > 0 for row in rows)


def test_the_hook_reports_the_estimate_that_collecting_shows(tmp_path, before):
    event, ended = before
    database = tmp_path / "data" / "mosaic-telemetry" / "telemetry.db"
    database.parent.mkdir(parents=True)
    known(event, database, ended - DAY_S)
    shown = {one["event_id"]: tuple(one[name] for name in NAMES) for one in events_of(tmp_path)}
    assert shown[event["event_id"]] > (0, 0)
    query = f"SELECT {', '.join(NAMES)} FROM events WHERE event_id = ?"
    # Only this session: what another one reports now would be later than the task.
    (session,) = json.loads(run(tmp_path, "--audit", "--json"))["audit"][0]["files"]
    payload = {"session_id": "s", "transcript_path": session, "cwd": "/", "hook_event_name": "Stop"}
    subprocess.run([*COMMAND, "hook", "claude-code"], input=json.dumps(payload).encode(), env=environment(tmp_path), timeout=60, check=True)

    def reported():
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute(query, (UUID(event["event_id"]).bytes,)).fetchall()

    wait_for(lambda: len(reported()) == 1, 60, "the task in the database")
    assert reported() == [shown[event["event_id"]]]


def test_a_database_that_cannot_be_read_costs_the_estimates_and_nothing_else(tmp_path, before):
    event, _ = before
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database" * 500)
    words = [*COMMAND, "collect", "claude-code", str(RECORDINGS), "--dry-run", "--json", "--database", str(broken)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment(tmp_path), check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[0]) == event
    assert done.stderr.startswith(f"no estimates from {broken}: ")
