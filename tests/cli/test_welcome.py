"""`mosaic-telemetry` alone, on machines with and without something to find."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.events import fields
from support.server import COMMAND

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import TaskCompletionEvent


def run(home, *words):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MOSAIC_", "XDG_", "CLAUDE_", "CODEX_", "GEMINI_"))}
    return subprocess.run([*COMMAND, *words], env={**env, "HOME": str(home), "NO_COLOR": "1"}, capture_output=True, text=True, timeout=60, check=False)


def test_nothing_is_found_on_a_new_machine(tmp_path):
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no log of a harness" in done.stdout
    assert "mosaic-telemetry demo" in done.stdout
    assert json.loads(run(tmp_path, "--json").stdout) == {
        "harnesses": [],
        "tasks": 0,
        "cost_usd_micros": 0,
        "next": ["mosaic-telemetry demo", "mosaic-telemetry serve"],
    }
    assert not list(tmp_path.iterdir()), "looking leaves no trace"


def test_it_names_what_it_found_and_what_it_holds(tmp_path):
    sessions = tmp_path / ".claude" / "projects" / "p"
    sessions.mkdir(parents=True)
    for name in ("a", "b"):
        (sessions / f"{name}.jsonl").write_text("{}\n")
    done = run(tmp_path)
    assert "Claude Code  2 files of sessions" in done.stdout
    assert "mosaic-telemetry collect --all" in done.stdout
    database = tmp_path / ".local" / "share" / "mosaic-telemetry" / "telemetry.db"
    with open_engine(database, make_directory=True) as engine:
        instance = engine.local_instance()
        own = {"instance_id": str(instance.instance_id), "schema_version": "1.0", "timestamp": "2026-02-07T10:00:00Z"}
        engine.ingest(instance, [TaskCompletionEvent(**own, event_id=f"00000000-0000-7000-8000-{number:012}", **fields()) for number in range(3)])
        engine.roll_up()
    assert json.loads(run(tmp_path, "--json").stdout)["harnesses"] == [{"harness": "claude-code", "title": "Claude Code", "files": 2}]
    done = run(tmp_path)
    assert "In its database: 3 tasks, $1.24 in all." in done.stdout
    assert "mosaic-telemetry predict --task-type debugging --model claude-sonnet-4-5" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_a_folder_that_may_not_be_read_and_a_broken_database_are_passed_over(tmp_path):
    database = tmp_path / ".local" / "share" / "mosaic-telemetry" / "telemetry.db"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"broken" * 1000)
    (tmp_path / ".codex").write_text("a file where a folder is expected")
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_json_before_a_command_is_told_where_it_belongs(tmp_path):
    done = run(tmp_path, "--json", "report")
    assert done.returncode == 2
    assert done.stderr == "Error: --json goes behind the command: mosaic-telemetry report --json; see `mosaic-telemetry --help`\n"


def test_an_unknown_command_is_said_in_one_line(tmp_path):
    done = run(tmp_path, "predcit")
    assert done.returncode == 2
    assert done.stderr == "Error: there is no command 'predcit' (did you mean 'predict'?); see `mosaic-telemetry --help`\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_the_shell_completes_commands():
    env = {**os.environ, "_MOSAIC_TELEMETRY_COMPLETE": "bash_complete", "COMP_WORDS": "mosaic-telemetry rep", "COMP_CWORD": "1"}
    script = shutil.which("mosaic-telemetry", path=str(Path(COMMAND[0]).parent))
    if script is None:
        pytest.skip("the script is not installed beside the interpreter")
    done = subprocess.run([script], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "plain,report\n"
