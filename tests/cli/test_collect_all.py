"""`collect --all`, `--since`, `--project` and `--watch`, as a person runs them."""

import json
import os
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from support.recordings import DEMO_DATA
from support.server import COMMAND
from support.transcripts import Transcript
from support.waiting import wait_for

HOMES = {
    "claude-code": ("claude-code-2.1.197/projects", ".claude/projects"),
    "codex": ("codex-0.169.0/sessions", ".codex/sessions"),
    "gemini": ("gemini-cli-0.61.0/tmp", ".gemini/tmp"),
    "opencode": ("opencode-1.18.33", ".local/share/opencode"),
    "pi": ("pi-0.73.1/sessions", ".pi/agent/sessions"),
}
SETTINGS = ("MOSAIC_TELEMETRY_", "TELEMETRY_", "XDG_", "CLAUDE_", "CLINE_", "CODEX_", "OPENCODE_", "KILO_", "GEMINI_", "PI_", "AIDER_")


def environment(home, **env):
    own = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS) and name != "DO_NOT_TRACK"}
    return own | {"HOME": str(home)} | env


def run(home, *words, **env):
    done = subprocess.run(
        [*COMMAND, "collect", *map(str, words)], capture_output=True, text=True, timeout=60, env=environment(home, **env), check=False, cwd=home
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def home(tmp_path):
    for source, place in HOMES.values():
        shutil.copytree(DEMO_DATA / source, tmp_path / place)
    return tmp_path


def test_all_finds_what_is_there_and_reports_it_once(home):
    status, out, err = run(home, "--all")
    assert (status, err) == (0, "")
    lines = [line for line in out.splitlines() if " accepted, " in line]
    assert [line.partition(":")[0] for line in lines] == ["Claude Code", "opencode", "Codex", "Gemini CLI", "pi"]
    assert all("3 finished tasks" in line and "3 accepted, 0 already known, 0 rejected" in line for line in lines)
    state = home / ".local" / "state" / "mosaic-telemetry" / "scans"
    assert len(list(state.glob("*.db"))) == 1
    status, out, err = run(home, "--all", "--json")
    assert (status, err) == (0, "")
    harnesses = json.loads(out)["harnesses"]
    assert [one["harness"] for one in harnesses] == ["claude-code", "opencode", "codex", "gemini", "pi"]
    assert {(one["files_read"], one["tasks"], one["accepted"], one["known"]) for one in harnesses} == {(0, 0, 0, 0)}
    assert run(home, "claude-code")[1] == "Claude Code: 3 files (0 read), nothing new.\n"
    next(state.glob("*.db")).write_bytes(b"torn")
    assert "0 accepted, 3 already known" in run(home, "claude-code")[1]


def test_a_dry_run_neither_reads_nor_writes_what_was_noted(home):
    first = run(home, "--all", "--dry-run", "--json")
    assert len({json.loads(line)["event_id"] for line in first[1].splitlines()}) == 15
    assert not (home / ".local" / "state").exists()
    run(home, "--all")
    noted = {path: path.read_bytes() for path in (home / ".local" / "state").rglob("*") if path.is_file()}
    assert run(home, "--all", "--dry-run", "--json") == first
    assert {path: path.read_bytes() for path in (home / ".local" / "state").rglob("*") if path.is_file()} == noted


def test_where_no_harness_is_found_it_says_so_in_one_line(tmp_path):
    status, out, err = run(tmp_path, "--all", "--dry-run")
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert "none of Claude Code, opencode, " in err


def test_options_before_the_harness_are_not_lost_silently(home):
    status, out, err = run(home, "--dry-run", "claude-code")
    assert (status, out) == (2, "")
    assert "give --dry-run after the harness: mosaic-telemetry collect claude-code --dry-run" in err


def test_since_and_project_choose(home):
    for words, count in ((("--project", "proj_cc_1"), 1), (("--project", "/home/user/workspace"), 3), (("--project", "other"), 0)):
        assert len(run(home, "claude-code", "--dry-run", "--json", *words)[1].splitlines()) == count
    event = json.loads(run(home, "claude-code", "--dry-run", "--json")[1].splitlines()[0])
    ended = datetime.fromisoformat(event["timestamp"])
    for since, count in ((ended - timedelta(days=2), 3), (ended + timedelta(milliseconds=1), 2), (ended + timedelta(days=2), 0)):
        assert len(run(home, "claude-code", "--dry-run", "--json", "--since", since.isoformat())[1].splitlines()) == count
    status, _, err = run(home, "claude-code", "--dry-run", "--since", "soon")
    assert (status, len(err.splitlines())) == (1, 1)
    assert "--since 'soon' is no time" in err


def test_what_a_narrow_collection_left_is_reported_by_the_next(home):
    assert "1 accepted" in run(home, "claude-code", "--project", "proj_cc_2")[1]
    assert "2 accepted" in run(home, "claude-code")[1]
    assert "nothing new" in run(home, "claude-code")[1]


def test_a_state_that_cannot_be_written_costs_only_time(home):
    (home / ".local" / "state").write_text("in the way")
    for accepted in (3, 0):
        status, out, err = run(home, "claude-code")
        assert status == 0
        assert f"{accepted} accepted" in out
        assert "cannot be remembered" in err
        assert len(err.splitlines()) == 1


def test_watching_reports_each_task_once_it_has_ended_and_stops_when_asked(tmp_path):
    log = Transcript()
    log.prompt(0)
    log.answer(1, "m1")
    place = tmp_path / ".claude" / "projects" / "-p"
    path = log.write(place / "a.jsonl")
    output = tmp_path / "out"
    words = [*COMMAND, "collect", "--all", "--watch", "--json"]
    with output.open("wb") as out, subprocess.Popen(words, stdout=out, stderr=subprocess.PIPE, text=True, env=environment(tmp_path), cwd=tmp_path) as process:

        def events():
            return [json.loads(line) for line in output.read_text().splitlines()]

        def grow():
            with path.open("w") as file:
                file.write("".join(f"{line}\n" for line in log.lines))

        assert "Watching Claude Code (1 file). Ctrl-C ends it." in process.stderr.readline()
        wait_for(lambda: len(events()) == 1, 30)
        log.prompt(10, "And then")
        log.bash(11, "pytest -q", "1 passed in 0.1s", call="m2")
        grow()
        log.write(tmp_path / ".codex" / "nothing.jsonl")
        seen = time.monotonic()
        log.answer(14, "m3")
        grow()
        wait_for(lambda: len(events()) == 2, 30)
        assert time.monotonic() - seen < 20
        other = Transcript(seed=5)
        other.prompt(0)
        other.answer(1, "m9")
        other.write(place / "b.jsonl")
        wait_for(lambda: len(events()) == 3, 30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    found = events()
    assert len({event["event_id"] for event in found}) == 3
    assert [event["quality_gates_run"] for event in found] == [[], ["test"], []]
    assert "nothing new" in run(tmp_path, "claude-code")[1]


def test_watching_and_a_dry_run_exclude_each_other(tmp_path):
    status, _, err = run(tmp_path, "--all", "--watch", "--dry-run")
    assert status == 2
    assert "--watch reports tasks as they end" in err


def test_the_date_of_today_is_a_date(home):
    today = datetime.now(UTC).date() + timedelta(days=3650)
    assert run(home, "--all", "--dry-run", "--json", "--since", today.isoformat())[1] == ""
