"""What holds for all commands: exit codes, completion, help."""

import os
import signal
import subprocess
import sys

import pytest
from support.programs import Program
from support.waiting import wait_for

COMMAND = [sys.executable, "-m", "mosaic_telemetry"]


def run(*words, **environment):
    return subprocess.run([*COMMAND, *words], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False)


def test_done_is_0():
    assert run("--version").returncode == 0


def test_failed_is_1_with_one_line(tmp_path):
    done = run("predict", "--task-type", "testing", "--model", "gpt-5", "--database", str(tmp_path / "none.db"))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)


@pytest.mark.parametrize("words", [["nonsense"], ["predict", "--nonsense"], ["predict", "--task-type", "gardening", "--model", "gpt-5"]])
def test_wrong_usage_is_2(words):
    done = run(*words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: ")


def test_ctrl_c_is_130(tmp_path):
    words = [*COMMAND, "demo"]
    with Program("", {}, command=words, env={"HOME": str(tmp_path)}) as program:
        wait_for(lambda: program.lines or program.errors, 60, "the first line")
        program.send(signal.SIGINT).end()
        assert program.code == 130, program.errors
        assert not any("Traceback" in line for line in program.errors)


@pytest.mark.parametrize(("typed", "place", "completed"), [("pre", 1, "predict"), ("predict --task-type de", 3, "debugging"), ("predict --js", 2, "--json")])
def test_completion(typed, place, completed):
    done = run(COMP_WORDS=f"mosaic-telemetry {typed}", COMP_CWORD=str(place), _MOSAIC_TELEMETRY_COMPLETE="bash_complete")
    assert done.stdout.splitlines() == [f"plain,{completed}"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed(shell):
    done = run(_MOSAIC_TELEMETRY_COMPLETE=f"{shell}_source")
    assert done.returncode == 0
    assert "_MOSAIC_TELEMETRY_COMPLETE" in done.stdout
