"""The real Claude Code, from the npm registry, on a task against a small model API of our own: what the API said is what is collected.

`make harnesses` runs it; the harness is installed into .venvs/harnesses, once.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.model_api import ModelApi
from support.server import COMMAND
from support.waiting import wait_for

ROOT = Path(__file__).parents[2]
PACKAGE = "@anthropic-ai/claude-code@2.1.197"
TURNS = [{"command": "python3 -m pytest -q"}, {"command": "echo 'fixed' > notes.txt"}, {"text": "Done."}]

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not os.environ.get("MOSAIC_TELEMETRY_HARNESSES"), reason="installs a harness of 235 MB: `make harnesses` runs it"),
]


@pytest.fixture(scope="module")
def claude():
    """The program, installed where git does not look."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = ROOT / ".venvs" / "harnesses" / PACKAGE.replace("/", "-")
    program = folder / "node_modules" / ".bin" / "claude"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        words = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
        done = subprocess.run(words, capture_output=True, text=True, timeout=500, check=False)
        if done.returncode:
            pytest.skip(f"the npm registry cannot be reached: {done.stderr.strip().splitlines()[-1:]}")
    return program


def environment(home, api):
    """Nothing of the person who runs the tests, and nobody to call home to."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "IS_SANDBOX": "1",
        "ANTHROPIC_BASE_URL": api.url,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def work(claude, home, api):
    """One task, to its end."""
    project = home / "project"
    project.mkdir(exist_ok=True)
    words = [str(claude), "-p", "Fix the failing test", "--model", "claude-sonnet-4-5", "--dangerously-skip-permissions"]
    done = subprocess.run(words, env=environment(home, api), cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Done." in done.stdout


def expected(api):
    read = sum(usage["input_tokens"] + usage["cache_creation_input_tokens"] + usage["cache_read_input_tokens"] for usage in api.usages)
    return read, sum(usage["output_tokens"] for usage in api.usages)


def test_what_the_api_returned_is_what_is_collected(claude, tmp_path):
    with ModelApi(TURNS) as api:
        work(claude, tmp_path, api)
    assert len(api.usages) == 3
    words = [*COMMAND, "collect", "claude-code", str(tmp_path / ".claude"), "--dry-run", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (event["actual_input_tokens"], event["actual_output_tokens"]) == expected(api)
    assert (event["harness"], event["task_type"], event["model"]) == ("claude_code", "debugging", "claude-sonnet-4-5")
    assert event["quality_gates_run"] == ["test"]


def test_its_hook_reports_the_task(claude, tmp_path):
    settings = tmp_path / ".claude" / "settings.json"
    subprocess.run([*COMMAND, "hook", "install", "claude-code", "--settings", str(settings), "--yes"], capture_output=True, timeout=60, check=True)
    with ModelApi(TURNS) as api:
        work(claude, tmp_path, api)
    database = tmp_path / ".local" / "share" / "mosaic-telemetry" / "telemetry.db"
    wait_for(database.exists, 60, "the local database")

    def known():
        words = [*COMMAND, "collect", "claude-code", str(tmp_path / ".claude"), "--json", "--rescan", "--database", str(database)]
        done = subprocess.run(words, env=environment(tmp_path, api), capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout)["known"] if done.returncode == 0 else 0

    log = tmp_path / ".local" / "state" / "mosaic-telemetry" / "hook" / "hook.log"
    state = log.parent
    wait_for(lambda: any(path.stat().st_size for path in state.glob("*.json")), 60, "the hook's work")
    assert known() == 1, log.read_text() if log.exists() else "no log"
