"""`flush` and `doctor`, on what a killed process left."""

import json
import os
import signal
import subprocess
import sys

from support.server import COMMAND

from mosaic_telemetry.testing import LocalServer

PROGRAM = """
import os, signal, sys
from support.events import fields
from mosaic_telemetry import TelemetryClient, TelemetryConfig
client = TelemetryClient(TelemetryConfig.from_env())
for _ in range(25):
    client.track(client.event_builder.build(**fields()))
os.kill(os.getpid(), signal.SIGKILL)
"""


def environment(tmp_path, server, **more):
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("tests")),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "MOSAIC_TELEMETRY_SERVER_URL": server.url,
        "MOSAIC_TELEMETRY_API_KEY": server.api_key,
        "MOSAIC_TELEMETRY_INSTANCE_ID": server.instance_id,
        **more,
    }


def run(env, *words):
    return subprocess.run([*COMMAND, *words], env=env, capture_output=True, text=True, timeout=60, check=False)


def leave_events(env):
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL


def test_doctor_shows_and_flush_sends_what_a_killed_process_left(tmp_path):
    with LocalServer() as server:
        env = environment(tmp_path, server)
        leave_events(env)
        shown = json.loads(run(env, "doctor", "--json").stdout)
        assert [(spool["server_url"], spool["events"], spool["files"]) for spool in shown["spools"]] == [(server.url, 25, 1)]
        assert "25 events in 1 file" in run(env, "doctor").stdout
        done = run(env, "flush")
        assert (done.returncode, done.stdout, done.stderr) == (0, "25 accepted, 0 known already, 0 rejected, 0 given up, 0 left.\n", "")
        assert len(server.events) == 25
        assert run(env, "flush").stdout == "Nothing waits.\n"
        assert "nothing waits" in run(env, "doctor").stdout


def test_flush_leaves_everything_where_the_server_refuses(tmp_path):
    with LocalServer() as server:
        env = environment(tmp_path, server)
        leave_events(env)
        done = run({**env, "MOSAIC_TELEMETRY_API_KEY": "wrong"}, "flush", "--json")
        assert done.returncode == 1
        answer = json.loads(done.stdout)
        assert (answer["queued"], answer["delivered"]) == (25, False)
        assert answer["problems"][0].startswith("HTTP 401: Unauthorized")
        assert run(env, "flush").returncode == 0
        assert len(server.events) == 25


def test_flush_for_another_server_sends_nothing(tmp_path):
    with LocalServer() as server, LocalServer() as other:
        leave_events(environment(tmp_path, server))
        assert run(environment(tmp_path, other), "flush").stdout == "Nothing waits.\n"
        assert other.requests == []


def test_flush_without_a_server_says_what_to_give(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith("MOSAIC_TELEMETRY_")}
    done = run({**env, "XDG_STATE_HOME": str(tmp_path)}, "flush")
    assert done.returncode == 2
    assert "MOSAIC_TELEMETRY_SERVER_URL" in done.stderr


def test_flush_respects_do_not_track(tmp_path):
    with LocalServer() as server:
        env = environment(tmp_path, server, DO_NOT_TRACK="1")
        done = run(env, "flush")
        assert (done.returncode, server.requests) == (1, [])
        assert "DO_NOT_TRACK" in done.stderr


def test_what_is_missing_is_asked_for_in_one_line(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MOSAIC_TELEMETRY_", "TELEMETRY_"))} | {"XDG_STATE_HOME": str(tmp_path)}
    done = run(env, "flush", "--api-key", "k")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("Error: it is not said where to send: give --server, --instance-id or set MOSAIC_TELEMETRY_SERVER_URL")
    assert "''" not in done.stderr
    done = run(env, "flush", "--server", "nonsense", "--api-key", "k", "--instance-id", "i")
    assert (done.returncode, "a URL such as" in done.stderr) == (2, True)
