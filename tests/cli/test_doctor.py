"""`doctor` as a person runs it: which harnesses are there, what they hold, and what could not be read."""

import json
import os
import shutil
import subprocess

from support.recordings import DEMO_DATA
from support.server import COMMAND

SETTINGS = ("MOSAIC_TELEMETRY_", "TELEMETRY_", "XDG_", "CLAUDE_", "CLINE_", "CODEX_", "OPENCODE_", "KILO_", "GEMINI_", "PI_", "AIDER_")


def run(home, *words):
    own = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)} | {"HOME": str(home)}
    done = subprocess.run([*COMMAND, "doctor", *words], capture_output=True, text=True, timeout=60, env=own, check=False, cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_harnesses_their_versions_and_what_could_not_be_read_are_listed(tmp_path):
    shutil.copytree(DEMO_DATA / "claude-code-2.1.197" / "projects", tmp_path / ".claude" / "projects")
    shutil.copytree(DEMO_DATA / "codex-0.169.0" / "sessions", tmp_path / ".codex" / "sessions")
    broken = tmp_path / ".claude" / "projects" / "broken.jsonl"
    broken.write_text("{half\n")
    found = json.loads(run(tmp_path, "--json"))["harnesses"]
    assert [(one["harness"], one["versions"], one["files"], one["sessions"], one["tasks"]) for one in found] == [
        ("claude-code", ["2.1.197"], 4, 3, 3),
        ("codex", ["0.169.0"], 3, 3, 3),
    ]
    assert found[0]["skipped"] == 1
    assert found[0]["unreadable"][0].startswith(f"{broken}:1: not JSON")
    assert found[1]["unreadable"] == []
    text = run(tmp_path)
    assert f"Claude Code 2.1.197: {tmp_path}/.claude/projects\n  4 files, 3 sessions, 3 finished tasks, the newest " in text
    assert f"could not be read: 1 line or file\n    {broken}:1: not JSON" in text
    assert "spool: " in text
    assert not (tmp_path / ".local").exists()


def test_where_there_is_none_it_says_so(tmp_path):
    assert run(tmp_path).startswith("no harness found at its usual place\nspool: ")
    assert "harness" not in run(tmp_path, "--spool-only")


def test_a_claude_code_whose_log_names_no_prompts_is_told(tmp_path):
    folder = tmp_path / ".claude" / "projects"
    shutil.copytree(DEMO_DATA / "claude-code-2.1.197" / "projects", folder)
    told = "does not name prompts"
    assert told not in run(tmp_path)
    for path in folder.rglob("*.jsonl"):
        path.write_text(path.read_text().replace('"promptId"', '"other"'))
    (line,) = (line for line in run(tmp_path).splitlines() if told in line)
    assert "2.1.73" in line
    assert "not both" in line
    assert json.loads(run(tmp_path, "--json"))["harnesses"][0]["unmatched"] is True


def test_versions_stand_in_their_order(tmp_path):
    shutil.copytree(DEMO_DATA / "claude-code-2.1.197" / "projects", tmp_path / ".claude" / "projects")
    first, second, *_ = sorted((tmp_path / ".claude" / "projects").rglob("*.jsonl"))
    for path, version in ((first, "2.1.7"), (second, "10.0.0-beta")):
        path.write_text(path.read_text().replace('"2.1.197"', f'"{version}"'))
    assert json.loads(run(tmp_path, "--json"))["harnesses"][0]["versions"] == ["2.1.7", "2.1.197", "10.0.0-beta"]
    assert run(tmp_path).startswith("Claude Code 2.1.7 … 10.0.0-beta: ")
