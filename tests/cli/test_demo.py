"""The demonstration, as `make demo` runs it."""

import json
import os
import re
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.server import COMMAND
from support.transcripts import Heard

from mosaic_telemetry.cli.demo_recordings import lay_out, move_to_present
from mosaic_telemetry.collectors import COLLECTORS

RECORDINGS = Path(__file__).parents[2] / "src/mosaic_telemetry/cli/demo_data/claude-code-2.1.197/projects"
HARNESSES = {"Claude Code": 3, "opencode": 6, "Kilo Code": 3, "Cline": 6, "aider": 3, "Codex": 6, "Gemini CLI": 6, "pi": 3}


def run_demo(tmp_path, *options):
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir(exist_ok=True)
    unset = {"XDG_STATE_HOME", "XDG_DATA_HOME"}
    env = {name: value for name, value in os.environ.items() if name not in unset}
    env |= {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "DO_NOT_TRACK": "1", "MOSAIC_TELEMETRY_SERVER_URL": "http://127.0.0.1:1"}
    return subprocess.run([*COMMAND, "demo", *options], env=env, capture_output=True, text=True, timeout=120, check=False)


def test_it_shows_the_whole_loop_in_time_and_leaves_no_trace(tmp_path):
    began = time.monotonic()
    done = run_demo(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 60, "promised are 10 s on an idle machine"
    for harness, tasks in HARNESSES.items():
        assert re.search(rf"{harness}: .* {tasks} finished tasks, .*: {tasks} accepted, 0 already known, 0 rejected", done.stdout), harness
    assert "reported 8 tasks" in done.stdout
    assert "success rate" in done.stdout
    assert "collect --all --dry-run" in done.stdout
    assert list((tmp_path / "home").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_its_json_holds_the_predictions(tmp_path):
    done = run_demo(tmp_path, "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert [found["accepted"] for found in answer["collected"]["harnesses"]] == list(HARNESSES.values())
    first, second = answer["predictions"]
    assert (first["metadata"]["sample_size"], first["metadata"]["fallback_level"]) == (18, 0)
    assert (second["metadata"]["sample_size"], second["metadata"]["fallback_level"]) == (5, 0)


def test_recorded_times_move_to_the_present_and_keep_their_distances(tmp_path):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    move_to_present(RECORDINGS, tmp_path, now)

    def moments(root):
        lines = [json.loads(line) for path in sorted(root.rglob("*.jsonl")) for line in path.read_text().splitlines()]
        return [datetime.fromisoformat(line["timestamp"]) for line in lines if "timestamp" in line]

    before, after = moments(RECORDINGS), moments(tmp_path)
    assert max(after) == now - timedelta(minutes=1)
    assert {new - old for old, new in zip(before, after, strict=True)} == {max(after) - max(before)}


def test_times_move_in_whatever_form_a_harness_writes_them(tmp_path):
    now = datetime(2031, 6, 1, 12, tzinfo=UTC)
    lay_out(RECORDINGS.parents[1], tmp_path, now)
    ends = {}
    for collector in COLLECTORS:
        places = collector.places({"AIDER_CHAT_HISTORY_FILE": str(tmp_path / ".aider")}, tmp_path)
        files = [file for place in places for file in collector.find(place)]
        tasks = collector.collect(files, now_ms=int(now.timestamp() * 1000), watcher=Heard()).tasks
        ends[collector.name] = [task.ended_ms / 1000 for task in tasks]
        assert all(now.timestamp() - 6 * 3600 < end < now.timestamp() - 3600 for end in ends[collector.name]), collector.name
    assert [len(found) for name, found in ends.items() if name not in {"aider", "usage"}] == [3, 6, 3, 6, 6, 6, 3]
