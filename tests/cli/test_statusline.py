"""`statusline`, as Claude Code runs it."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import fields
from support.server import COMMAND

from mosaic_telemetry.cli.statusline_start import facts, line
from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict

PAYLOAD = {"model": {"id": "claude-sonnet-4-5", "display_name": "Sonnet 4.5"}, "cost": {"total_cost_usd": 0.4213, "total_duration_ms": 185_000}}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("status") / "telemetry.db"
    now = datetime.now(UTC)
    with open_engine(path) as engine:
        instance = engine.local_instance()
        own = {"instance_id": str(instance.instance_id), "schema_version": "1.0"}
        tasks = (
            [(" Claude-Sonnet-4-5", 0, "success")] * 6
            + [("claude-sonnet-4-5", 3, "failure")] * 2
            + [("gpt-5", 0, "success"), ("claude-sonnet-4-5", 40, "failure")]
        )
        engine.ingest(
            instance,
            [
                from_dict(
                    TaskCompletionEvent,
                    fields(model=model, outcome=outcome, actual_cost_usd_micros=500_000)
                    | own
                    | {"event_id": f"00000000-0000-7000-8000-{number:012}", "timestamp": (now - timedelta(days=ago)).isoformat()},
                )
                for number, (model, ago, outcome) in enumerate(tasks)
            ],
        )
        engine.roll_up()
    return path


def run(payload, database, *words):
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    env = {**os.environ, "MOSAIC_TELEMETRY_DATABASE": str(database)}
    return subprocess.run([*COMMAND, "statusline", *words], input=text, env=env, capture_output=True, timeout=60, check=False)


def test_it_says_session_day_and_model(database):
    done = run(PAYLOAD, database)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == "Sonnet 4.5 · $0.42 this session, 3 min 5 s · $3.50 today · $0.67 per success, 75 % of 8 tasks in 30 days\n"


def test_the_same_as_json_for_a_line_of_ones_own(database):
    assert json.loads(run(PAYLOAD, database, "--json").stdout) == {
        "model": "Sonnet 4.5",
        "session_cost_usd_micros": 421_300,
        "session_duration_ms": 185_000,
        "today_cost_usd_micros": 3_500_000,
        "days": 30,
        "tasks": 8,
        "successes": 6,
        "cost_per_success_usd_micros": 666_667,
    }
    nothing = json.loads(run(b"", database.with_name("none.db"), "--json").stdout)
    assert nothing["session_cost_usd_micros"] is nothing["cost_per_success_usd_micros"] is None


@pytest.mark.parametrize("payload", [b"", b"\xff\x00", b"[1]", b'{"model": 3, "cost": []}', b"[" * 100_000])
def test_whatever_it_is_fed_it_prints_one_line_and_succeeds(tmp_path, payload):
    done = run(payload, tmp_path / "none.db")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\n", b"")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_passed_over(tmp_path):
    (tmp_path / "t.db").write_bytes(b"no database" * 1000)
    assert run(PAYLOAD, tmp_path / "t.db").stdout.decode() == "Sonnet 4.5 · $0.42 this session, 3 min 5 s\n"


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(
    payload=JSON | st.fixed_dictionaries({}, optional={"model": JSON | st.fixed_dictionaries({"display_name": JSON, "id": JSON}), "cost": JSON}),
    name=st.text(),
)
def test_any_json_makes_a_line_that_a_terminal_can_show(payload, name):
    for what in (payload, {"model": {"display_name": name}}):
        assert line(facts(what, "/nowhere/t.db", 0)).isprintable()


def test_it_imports_nothing_heavy_and_is_there_at_once(database):
    code = (
        "import sys; sys.argv = ['mosaic-telemetry', 'statusline']\nfrom mosaic_telemetry.cli import main\n"
        "try: main()\nexcept SystemExit: print(sorted({'click', 'numpy', 'apsw', 'rich', 'socket', 'ssl', 'http'} & set(sys.modules)))"
    )
    env = {"MOSAIC_TELEMETRY_DATABASE": str(database)}
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(PAYLOAD).encode(), env=env, capture_output=True, timeout=60, check=True)
    assert done.stdout.decode().splitlines()[-1] == "[]"
    took = []
    for _ in range(5):
        start = time.monotonic()
        run(PAYLOAD, database)
        took.append(time.monotonic() - start)
    assert min(took) < 0.6, "promised: 60 ms on a quiet machine"


def test_ctrl_c_while_it_waits_ends_it_without_a_word():
    code = (
        "import sys, types\n"
        "def interrupted(_): raise KeyboardInterrupt\n"
        "sys.argv = ['mosaic-telemetry', 'statusline']\n"
        "sys.stdin = types.SimpleNamespace(buffer=types.SimpleNamespace(read=interrupted))\n"
        "from mosaic_telemetry.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
