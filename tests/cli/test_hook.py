"""The hook as Claude Code runs it: a process with a payload on standard input, and what becomes of the task."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.server import COMMAND, ServerProcess, create_instance
from support.transcripts import RECORDINGS, Transcript
from support.waiting import wait_for

HOOK = [*COMMAND, "hook", "claude-code"]


@pytest.fixture
def home(tmp_path):
    """An environment with directories of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MOSAIC_TELEMETRY_", "TELEMETRY_", "CLAUDE_")) and name != "DO_NOT_TRACK"}
    return own | {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_DATA_HOME": str(tmp_path / "data")}


@pytest.fixture
def sessions(tmp_path):
    return Path(shutil.copytree(RECORDINGS / "projects", tmp_path / "projects"))


def fire(payload, env):
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    done = subprocess.run(HOOK, input=text, env=env, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def payload(path, event="Stop"):
    return {"session_id": "s", "transcript_path": str(path), "cwd": "/", "hook_event_name": event, "last_assistant_message": "the secret"}


def log_of(env):
    path = Path(env["XDG_STATE_HOME"], "mosaic-telemetry", "hook", "hook.log")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def count(database):
    if not Path(database).exists():
        return 0
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        try:
            found = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        except sqlite3.OperationalError:  # not made yet
            found = 0
    connection.close()
    return found


def collected(*words, env):
    done = subprocess.run([*COMMAND, "collect", "claude-code", *map(str, words), "--json"], env=env, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_a_finished_task_is_in_the_local_database_and_collecting_finds_it_known(home, sessions):
    database = Path(home["XDG_DATA_HOME"], "mosaic-telemetry", "telemetry.db")
    for number, path in enumerate(sorted(sessions.glob("*/*.jsonl")), 1):
        fire(payload(path), home)
        wait_for(lambda n=number: count(database) == n, 60, f"{number} tasks in the database; log: {log_of(home)}")
    found = collected(sessions, env=home)
    assert (found["accepted"], found["known"]) == (0, 3)
    assert log_of(home) == ""


def test_a_finished_task_reaches_the_server_once(home, sessions, tmp_path):
    database = tmp_path / "server.db"
    access = create_instance(database)
    with ServerProcess(database) as server:
        settings = {"SERVER_URL": server.url, "API_KEY": access.api_key, "INSTANCE_ID": access.instance_id}
        env = home | {f"MOSAIC_TELEMETRY_{name}": value for name, value in settings.items()}
        path = next(sessions.glob("*/*.jsonl"))
        fire(payload(path), env)
        wait_for(lambda: count(database) == 1, 60, f"the task on the server; log: {log_of(env)}")
        for event in ("SubagentStop", "SessionEnd", "Stop"):
            fire(payload(path, event), env)
        more = Transcript(seed=5)
        more.prompt(0, "Fix")
        more.answer(2, "x1")
        fire(payload(more.write(tmp_path / "more.jsonl")), env)
        wait_for(lambda: count(database) == 2, 60, "the other task on the server")
        assert collected(path, env=env)["known"] == 1
    assert log_of(env) == ""


def test_while_the_server_is_away_the_task_waits_in_the_spool(home, sessions):
    path = next(sessions.glob("*/*.jsonl"))
    spool = Path(home["XDG_STATE_HOME"], "mosaic-telemetry", "spool")
    env = home | {
        "MOSAIC_TELEMETRY_SERVER_URL": "http://127.0.0.1:9",
        "MOSAIC_TELEMETRY_API_KEY": "k" * 64,
        "MOSAIC_TELEMETRY_INSTANCE_ID": "5a6ad2f0-4b87-4f1e-9a52-0d1c2b3a4f5e",
        "MOSAIC_TELEMETRY_MAX_RETRIES": "0",
    }
    fire(payload(path), env)
    wait_for(lambda: any(b'"event_id"' in file.read_bytes() for file in spool.rglob("*.jsonl")), 60, f"the event in the spool; log: {log_of(env)}")
    wait_for(lambda: "127.0.0.1" in log_of(env), 60, "the reason in the log")


def test_the_last_record_may_come_after_the_hook(home, tmp_path):
    log = Transcript()
    log.prompt(0, "Fix")
    log.bash(2, "ls")
    cut = len(log.lines)
    log.answer(5, "x9")
    path = tmp_path / "late.jsonl"
    path.write_text("".join(f"{line}\n" for line in log.lines[:cut]), encoding="utf-8")
    fire(payload(path), home)
    kept = Path(home["XDG_STATE_HOME"], "mosaic-telemetry", "hook")
    wait_for(lambda: list(kept.glob("*.json")), 60, "the worker at the session")
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{log.lines[-1]}\n")
    database = Path(home["XDG_DATA_HOME"], "mosaic-telemetry", "telemetry.db")
    try:
        wait_for(lambda: count(database) == 1, 10, "the task")
    except AssertionError:  # on a machine so slow that the worker gave up waiting, the next hook reports it
        fire(payload(path, "SessionEnd"), home)
        wait_for(lambda: count(database) == 1, 60, f"the task; log: {log_of(home)}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "(0 bytes) is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\x00", "is not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "lacks hook_event_name or transcript_path"),
        (b'{"hook_event_name": "Stop"}', "lacks hook_event_name or transcript_path"),
        (b'{"hook_event_name": "Stop", "transcript_path": 5}', "lacks hook_event_name or transcript_path"),
        (b'{"hook_event_name": "Stop", "transcript_path": "' + b"x" * 20_000 + b'"}', "lacks hook_event_name or transcript_path"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_payload_that_is_none_is_a_line_in_the_log(home, text, said):
    fire(text, home)
    (line,) = log_of(home).splitlines()
    assert said in line
    assert "secret" not in line


def test_a_session_that_is_not_there_is_a_line_in_the_log(home, tmp_path):
    fire(payload(tmp_path / "gone.jsonl"), home)
    wait_for(lambda: "gone.jsonl" in log_of(home), 60, "the line in the log")
    assert "Traceback" not in log_of(home)


def test_half_a_configuration_is_a_line_in_the_log_and_nothing_is_stored(home, sessions):
    env = home | {"MOSAIC_TELEMETRY_SERVER_URL": "http://127.0.0.1:9"}
    fire(payload(next(sessions.glob("*/*.jsonl"))), env)
    wait_for(lambda: "MOSAIC_TELEMETRY_API_KEY" in log_of(env), 60, "the line in the log")
    assert not Path(home["XDG_DATA_HOME"]).exists()


def test_other_events_and_a_wish_not_to_be_tracked_start_or_leave_nothing(home, sessions):
    path = next(sessions.glob("*/*.jsonl"))
    fire(payload(path, "PreToolUse"), home)
    assert not Path(home["XDG_STATE_HOME"]).exists()
    done = subprocess.run(
        [sys.executable, "-m", "mosaic_telemetry.cli.hook_worker"],
        input=json.dumps({"event": "Stop", "transcript": str(path)}).encode(),
        env=home | {"DO_NOT_TRACK": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not Path(home["XDG_STATE_HOME"]).exists()
    assert not Path(home["XDG_DATA_HOME"]).exists()


def test_a_log_or_state_that_cannot_be_written_disturbs_nobody(home, tmp_path):
    (tmp_path / "file").write_text("")
    fire(b"{", home | {"XDG_STATE_HOME": str(tmp_path / "file")})


def test_the_log_stays_small(home):
    path = Path(home["XDG_STATE_HOME"], "mosaic-telemetry", "hook", "hook.log")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 300_000)
    fire(b"{", home)
    assert path.stat().st_size < 1000


def test_what_the_agent_waits_for_imports_next_to_nothing(home):
    code = """
import sys
from mosaic_telemetry.cli import main
sys.argv[1:] = ["hook", "claude-code"]
try:
    main()
except SystemExit as end:
    assert end.code == 0
print(*sys.modules)
"""
    words = [sys.executable, "-c", code]
    bare = {name: value for name, value in home.items() if not name.startswith("COVERAGE_")}  # coverage would import what we look for
    done = subprocess.run(words, input=b'{"hook_event_name": "Notification"}', env=bare, capture_output=True, timeout=60, check=True)
    heavy = {"asyncio", "click", "genai_prices", "http.client", "logging", "pathlib", "pydantic", "rich", "sqlite3", "ssl", "subprocess"}
    assert heavy.isdisjoint(done.stdout.decode().split())
    assert "mosaic_telemetry.collectors" not in done.stdout.decode()


def test_the_agent_waits_less_than_80_ms(home, tmp_path):
    # The promise is for a machine that does little else: the best of several counts.
    path = tmp_path / "gone.jsonl"
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        fire(payload(path), home)
        best = min(best, time.perf_counter() - start)
        if best < 0.08:
            break
    assert best < 0.8, "promised: 80 ms on a quiet machine; benchmarks say what it takes"
