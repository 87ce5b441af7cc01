"""The demonstration, as `make demo` runs it."""

import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.server import COMMAND

from mosaic_telemetry.cli.demo import move_to_present

RECORDINGS = Path(__file__).parents[2] / "src/mosaic_telemetry/cli/demo_data/claude-code-2.1.197/projects"


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
    assert "3 accepted, 0 already known, 0 rejected" in done.stdout
    assert "reported 8 tasks" in done.stdout
    assert "success rate" in done.stdout
    assert "collect claude-code --dry-run" in done.stdout
    assert list((tmp_path / "home").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_its_json_holds_the_predictions(tmp_path):
    done = run_demo(tmp_path, "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["collected"]["accepted"] == 3
    first, second = answer["predictions"]
    assert (first["metadata"]["sample_size"], first["metadata"]["fallback_level"]) == (10, 0)
    assert second["metadata"]["fallback_level"] == 5
    assert second["metadata"]["fallback_note"]


def test_recorded_times_move_to_the_present_and_keep_their_distances(tmp_path):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    move_to_present(RECORDINGS, tmp_path, now)

    def moments(root):
        lines = [json.loads(line) for path in sorted(root.rglob("*.jsonl")) for line in path.read_text().splitlines()]
        return [datetime.fromisoformat(line["timestamp"]) for line in lines if "timestamp" in line]

    before, after = moments(RECORDINGS), moments(tmp_path)
    assert max(after) == now - timedelta(minutes=1)
    assert {new - old for old, new in zip(before, after, strict=True)} == {max(after) - max(before)}
