"""`collect` as a person runs it: the real command, against the real server."""

import io
import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest
from rich.console import Console
from support.server import COMMAND, ServerProcess, create_instance
from support.transcripts import INSTANCE, RECORDINGS, Transcript

from mosaic_telemetry.cli.progress import LateBar, ProgressWatcher
from mosaic_telemetry.collectors.events import public_model

NIL = "00000000-0000-0000-0000-000000000000"


def run(*words, env=None):
    """The command's exit status, standard output and standard error."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MOSAIC_TELEMETRY_", "TELEMETRY_", "CLAUDE_")) and name != "DO_NOT_TRACK"}
    done = subprocess.run(
        [*COMMAND, "collect", "claude-code", *map(str, words)], capture_output=True, text=True, timeout=60, env=own | (env or {}), check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def server(tmp_path):
    database = tmp_path / "telemetry.db"
    access = create_instance(database)
    with ServerProcess(database) as process:
        yield ("--server", process.url, "--api-key", access.api_key, "--instance-id", access.instance_id)


def session(seed=1, version="2.1.197"):
    log = Transcript(seed=seed, version=version)
    log.prompt(0, "Fix the bug")
    log.answer(2, f"m{seed}")
    return log


def test_a_dry_run_prints_exactly_the_events_and_nothing_else():
    status, out, err = run(RECORDINGS, "--dry-run", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [event["outcome"] for event in events] == ["success", "failure", "partial"]
    assert {event["instance_id"] for event in events} == {NIL}
    assert sum(event["actual_output_tokens"] for event in events) == 831
    assert run(RECORDINGS, "--dry-run", "--json") == (status, out, err)
    _, named, _ = run(RECORDINGS, "--dry-run", "--json", "--instance-id", INSTANCE)
    assert named == out.replace(NIL, INSTANCE)


def test_a_dry_run_for_a_person():
    status, out, _ = run(RECORDINGS, "--dry-run")
    assert status == 0
    assert "3 files, 3 finished tasks, 198k tokens in, 831 out, $0.19" in out
    assert "debugging" in out
    assert "Nothing was sent" in out


def test_tasks_are_reported_once(server):
    status, out, err = run(RECORDINGS, *server)
    assert (status, err) == (0, "")
    assert "3 accepted, 0 already known, 0 rejected" in out
    status, out, err = run(RECORDINGS, *server)
    assert (status, err) == (0, "")
    assert out == "Claude Code: 3 files (0 read), nothing new.\n"
    status, out, err = run(RECORDINGS, *server, "--rescan")
    assert (status, err) == (0, "")
    assert "0 accepted, 3 already known, 0 rejected" in out


def test_json_says_what_became_of_it(server, tmp_path):
    session(1).write(tmp_path / "p" / "a.jsonl")
    session(2, version="2.1.30").write(tmp_path / "p" / "b.jsonl")
    with (tmp_path / "p" / "c.jsonl").open("w") as file:
        file.write("{broken\n")
    status, out, err = run(tmp_path, *server, "--json", "--verbose")
    found = json.loads(out)
    assert status == 0
    assert (found["files"], found["tasks"], found["accepted"], found["known"], found["unreliable_left_out"], found["skipped"]) == (3, 1, 1, 0, 1, 1)
    assert found["error"] is None
    assert err.startswith(f"skipped {tmp_path / 'p' / 'c.jsonl'}:1: not JSON")
    assert len(err.splitlines()) == 1


def test_unreliable_tasks_are_left_out_and_counted_unless_asked_for(tmp_path):
    session(1).write(tmp_path / "a.jsonl")
    session(2, version="2.1.30").write(tmp_path / "b.jsonl")
    _, out, _ = run(tmp_path, "--dry-run")
    assert "Left out: 1 task with token counts that are wrong in the log (--include-unreliable" in out
    assert len(run(tmp_path, "--dry-run", "--json")[1].splitlines()) == 1
    assert len(run(tmp_path, "--dry-run", "--json", "--include-unreliable")[1].splitlines()) == 2


def test_another_installations_id_is_refused_with_the_reason(server, tmp_path):
    # The id of another installation: the server refuses the whole batch.
    other = [*server[:-1], str(uuid.uuid4())]
    session().write(tmp_path / "a.jsonl")
    status, out, err = run(tmp_path, *other)
    assert status == 1
    assert "accepted" not in out
    assert "Not delivered: 1 task" in err
    assert "403" in err
    assert "--instance-id" in err


def test_a_dead_server_is_named(tmp_path):
    session().write(tmp_path / "a.jsonl")
    status, out, err = run(tmp_path, "--server", "http://127.0.0.1:9", "--api-key", "k", "--instance-id", INSTANCE)
    assert status == 1
    assert "accepted" not in out
    assert len(err.splitlines()) == 1
    assert "Not delivered: 1 task" in err


def test_do_not_track_is_obeyed_and_said(server, tmp_path):
    session().write(tmp_path / "a.jsonl")
    status, out, err = run(tmp_path, *server, env={"DO_NOT_TRACK": "1"})
    assert status == 1
    assert "accepted" not in out
    assert "DO_NOT_TRACK" in err


def test_switched_off_in_the_environment_sends_nothing(server, tmp_path):
    session().write(tmp_path / "a.jsonl")
    status, _, err = run(tmp_path, *server, env={"MOSAIC_TELEMETRY_ENABLED": "false"})
    assert status == 1
    assert "MOSAIC_TELEMETRY_ENABLED" in err


def test_without_a_server_tasks_go_into_the_database_on_this_machine_once(tmp_path):
    database = tmp_path / "own.db"
    for more, expected in (((), "3 accepted, 0 already known"), (("--rescan",), "0 accepted, 3 already known")):
        status, out, err = run(RECORDINGS, "--database", database, *more)
        assert (status, err) == (0, "")
        assert f"Reported to {database}: {expected}, 0 rejected." in out


def test_a_name_of_a_model_tells_nothing_of_this_machine():
    names = {
        "/home/alice/Secret Client/model.gguf": "model.gguf",
        "C:\\Users\\alice\\m.gguf": "m.gguf",
        "~/m.gguf": "m.gguf",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc": "abc",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2": "anthropic.claude-v2",
        "openrouter/anthropic/claude-sonnet-4.5": "openrouter/anthropic/claude-sonnet-4.5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    }
    assert {name: public_model(name) for name in names} == names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("/nowhere", "--dry-run"), "no Claude Code sessions found; looked in /nowhere (does not exist)"),
        (("--server", "http://localhost:1", "--instance-id", INSTANCE), "give --api-key too to report"),
        (("--server", "localhost", "--api-key", "k", "--instance-id", INSTANCE), "server_url: 'localhost' is not a URL"),
        ((RECORDINGS, "--dry-run", "--instance-id", "me"), "instance_id: 'me' is not a UUID"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, said):
    status, out, err = run(*words)
    assert status == 1
    assert out == ""
    assert len(err.splitlines()) == 1
    assert said in err


def test_an_empty_folder_says_where_it_looked(tmp_path):
    status, _, err = run("--dry-run", env={"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""})
    assert status == 1
    assert f"looked in {tmp_path}/.claude/projects (does not exist) and {tmp_path}/.config/claude/projects (does not exist)" in err


@pytest.mark.parametrize("place", [".claude", ".claude/projects", ".claude/projects/-p", ".claude/projects/-p/a.jsonl"])
def test_any_folder_of_the_harness_or_a_file_will_do(tmp_path, place):
    session().write(tmp_path / ".claude" / "projects" / "-p" / "a.jsonl")
    (tmp_path / ".claude" / "history.jsonl").write_text('{"display": "what I typed"}\n')
    assert len(run(tmp_path / place, "--dry-run", "--json")[1].splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), [("HOME", ""), ("CLAUDE_CONFIG_DIR", ".claude"), ("XDG_CONFIG_HOME", "")])
def test_the_usual_places_are_searched(tmp_path, name, value):
    folder = tmp_path / ("claude" if name == "XDG_CONFIG_HOME" else ".claude")
    session().write(folder / "projects" / "-p" / "a.jsonl.gz")
    home = {"HOME": str(tmp_path / "elsewhere")} | {name: str(tmp_path / value)}
    assert len(run("--dry-run", "--json", env=home)[1].splitlines()) == 1


def test_a_fifo_or_an_unreadable_file_stops_nobody(tmp_path):
    session().write(tmp_path / "a.jsonl")
    os.mkfifo(tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl").symlink_to(tmp_path / "gone.jsonl")
    (tmp_path / "d.jsonl").mkdir()
    status, out, _ = run(tmp_path, "--dry-run", "--json")
    assert status == 0
    assert len(out.splitlines()) == 1


def test_progress_is_shown_on_a_terminal_once_reading_takes_a_while():
    now = 0.0
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with ProgressWatcher(verbose=False, console=console, clock=lambda: now) as watcher:
        watcher.expect(3_000_000)
        watcher.advance(1_000_000)
        assert screen.getvalue() == ""
        now = 1.5
        watcher.advance(1_000_000)
        watcher.expect(1_000_000)
        watcher.advance(0)
    assert "2.0/4.0 MB" in screen.getvalue()


def test_a_bar_that_has_come_to_its_end_leaves_the_screen_to_the_next():
    now = 0.0
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with LateBar("storing", console, lambda: now) as one, LateBar("counting", console, lambda: now) as other:
        now = 1.5
        one.reach(1, 2)
        one.reach(2, 2)
        other.reach(30, 40)  # of two at once the console would complain
        other.reach(40, 40)
    assert "1 of 2, 0/s" in screen.getvalue()
    assert "30 of 40, 0/s" in screen.getvalue()


def test_no_progress_is_shown_in_a_pipe():
    now = 0.0
    with ProgressWatcher(verbose=False, clock=lambda: now) as watcher:
        now = 5.0
        watcher.advance(1)
    assert run(RECORDINGS, "--dry-run", "--json")[2] == ""


def test_help_names_the_harness_and_the_switches():
    status, out, _ = run("--help")
    assert status == 0
    for word in ("Claude Code", "--dry-run", "--include-unreliable", "--verbose", "--json", "--server"):
        assert word in out


def test_nothing_private_stands_in_the_recordings_that_ship():
    text = "".join(path.read_text() for path in Path(RECORDINGS).rglob("*.json*"))
    for private in ("/root", "developer", "/work/", "sk-ant", "You are Claude"):
        assert private not in text
