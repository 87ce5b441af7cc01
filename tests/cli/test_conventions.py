"""What holds for all commands: exit codes, completion, help."""

import os
import shutil
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "there is no command 'nonsense'; see `mosaic-telemetry --help`"),
        (["reprot"], "there is no command 'reprot' (did you mean 'report'?); see `mosaic-telemetry --help`"),
        (["predict", "--nonsense"], "see `mosaic-telemetry predict --help`"),
        (["predict", "--task-type", "gardening", "--model", "gpt-5"], "'code_review'"),
        (["predict", "--model", "gpt-5"], "Missing option '--task-type'. Choose from: planning, implementation, code_review"),
        (["admin", "crate"], "see `mosaic-telemetry admin --help`"),
        (["--nonsense"], "see `mosaic-telemetry --help`"),
        (["--json", "report"], "--json goes behind the command: mosaic-telemetry report --json"),
    ],
)
def test_wrong_usage_is_2_with_one_line_that_says_where_to_read_on(words, said):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("Error: ")
    assert said in done.stderr


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


def test_completion_behind_a_wrong_word_stays_silent():
    done = run(COMP_WORDS="mosaic-telemetry nonsense x", COMP_CWORD="2", _MOSAIC_TELEMETRY_COMPLETE="bash_complete")
    assert (done.stdout.strip(), done.stderr) == ("", "")


# What a shell does with the script that it reads at its start: it completes a word of the command's, and a value of an option's.
_IN_SHELLS = {
    "bash": """
        . "$SCRIPT"
        for words in "mosaic-telemetry pre" "mosaic-telemetry predict --task-type de"; do
            COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
            _mosaic_telemetry_completion mosaic-telemetry
            echo "${COMPREPLY[*]}"
        done""",
    "fish": """
        source $SCRIPT
        for words in "mosaic-telemetry pre" "mosaic-telemetry predict --task-type de"
            complete -C $words | cut -f 1
        end""",
    "zsh": """
        autoload -Uz compinit; compinit -u -D
        . "$SCRIPT"
        compadd() { printf '%s\\n' $completions }; _describe() { printf '%s\\n' ${completions_with_descriptions%%:*} }
        for typed in "mosaic-telemetry pre" "mosaic-telemetry predict --task-type de"; do
            words=(${=typed}); CURRENT=$#words; $_comps[mosaic-telemetry]
        done""",
}


@pytest.mark.parametrize("shell", _IN_SHELLS)
def test_a_shell_completes_words(shell, tmp_path):
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"no {shell} on this machine: install the package {shell}")
    made = run(_MOSAIC_TELEMETRY_COMPLETE=f"{shell}_source")
    assert made.returncode == 0
    script, command = tmp_path / "script", tmp_path / "mosaic-telemetry"
    script.write_text(made.stdout)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mosaic_telemetry "$@"\n')
    command.chmod(0o755)
    env = {**os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}", "SCRIPT": str(script)}
    done = subprocess.run([found, "-c", _IN_SHELLS[shell]], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["predict", "debugging"], done.stderr
