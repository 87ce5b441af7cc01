"""`collect NAME [PATH]` for every harness, as a person runs it."""

import json
import os
import shutil
import subprocess

import pytest
from support.recordings import AIDER, CODEX_NEW, DEMO_DATA, GEMINI_OLD, PI
from support.server import COMMAND, ServerProcess, create_instance

HOMES = {
    CODEX_NEW: (".codex", "CODEX_HOME"),
    GEMINI_OLD: (".gemini", ""),
    PI: (".pi/agent", "PI_AGENT_DIR"),
}


def run(*words, **env):
    prefixes = ("MOSAIC_TELEMETRY_", "TELEMETRY_", "CODEX_", "GEMINI_", "PI_", "AIDER_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(prefixes) and name != "DO_NOT_TRACK"}
    done = subprocess.run([*COMMAND, "collect", *map(str, words)], capture_output=True, text=True, timeout=60, env=own | env, check=False)
    return done.returncode, done.stdout, done.stderr


def test_all_harnesses_are_reported_and_each_task_once(tmp_path):
    database = tmp_path / "telemetry.db"
    access = create_instance(database)
    with ServerProcess(database) as process:
        server = ("--server", process.url, "--api-key", access.api_key, "--instance-id", access.instance_id)
        for recording in (CODEX_NEW, AIDER):
            for accepted, known, more in ((3, 0, ()), (0, 0, ()), (0, 3, ("--rescan",))):
                status, out, err = run(recording.collector, DEMO_DATA / recording.folder, *server, "--json", *more)
                assert (status, err) == (0, "")
                found = json.loads(out)
                assert (found["accepted"], found["known"], found["rejected"], found["skipped"]) == (accepted, known, {}, 0)


@pytest.mark.parametrize("recording", HOMES, ids=str)
def test_the_usual_place_the_named_one_and_each_folder_below_give_the_same(recording, tmp_path):
    place, variable = HOMES[recording]
    shutil.copytree(DEMO_DATA / recording.folder, tmp_path / place)
    for name in ("truth.jsonl", "expected.json"):
        (tmp_path / place / name).unlink()
    status, expected, err = run(recording.collector, "--dry-run", "--json", HOME=str(tmp_path))
    assert (status, err, len(expected.splitlines())) == (0, "", 3)
    inner = next(path for path in (tmp_path / place).iterdir() if path.is_dir())
    for path in (tmp_path / place, inner):
        assert run(recording.collector, path, "--dry-run", "--json") == (0, expected, "")
    one = max(inner.rglob("*.json*"))
    assert len(run(recording.collector, one, "--dry-run", "--json")[1].splitlines()) == 1
    if variable:
        assert run(recording.collector, "--dry-run", "--json", HOME="/nowhere", **{variable: str(tmp_path / place)}) == (0, expected, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("usage", "--dry-run"), "API usage has no usual place: give the folder or the file as PATH"),
        (("usage", "/nowhere.jsonl", "--dry-run"), "no API usage sessions found; looked in /nowhere.jsonl (does not exist)"),
        (("codex", "--dry-run"), "looked in /nowhere/.codex/sessions (does not exist)"),
    ],
)
def test_what_is_missing_is_said_in_one_line(words, said):
    status, out, err = run(*words, HOME="/nowhere")
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert said in err
