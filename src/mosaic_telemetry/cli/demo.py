"""`mosaic-telemetry demo`: the whole loop on recorded sessions, in a temporary folder that is gone afterwards.

Every step is the real command in a process of its own, as a person would type it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mosaic_telemetry.cli.common import json_option, print_json
from mosaic_telemetry.cli.demo_recordings import lay_out

__all__ = ["command"]

_DATA = Path(__file__).parent / "demo_data"
# Settings of a person's own server, and where a person's own sessions lie.
_OTHERS = ("AIDER_", "CLAUDE_", "CLINE_", "CODEX_", "DO_NOT_TRACK", "GEMINI_", "KILO_", "MOSAIC_TELEMETRY_", "OPENCODE_", "PI_", "TELEMETRY_", "XDG_")
_STOP_S = 30
_QUERIES = (
    ("--task-type", "debugging", "--model", "claude-sonnet-4-5", "--complexity", "low"),
    ("--task-type", "implementation", "--model", "claude-sonnet-4-5", "--complexity", "low"),
)


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """Start a server, collect the recorded sessions of eight harnesses, report tasks from a program, and ask for predictions.

    Everything happens on this machine, in a temporary folder.

    \b
    Examples:
      mosaic-telemetry demo
      mosaic-telemetry demo --json
    """
    with tempfile.TemporaryDirectory(prefix="mosaic-telemetry-demo-") as folder:
        try:
            answers = _run(Path(folder), quiet=as_json)
        except subprocess.CalledProcessError as error:
            raise click.ClickException(f"`{_shown(error.cmd)}` failed: {(error.stderr or error.stdout or '').strip()}") from error
    if as_json:
        print_json(answers)
        return
    click.echo("Next, on your own sessions (nothing leaves this machine):")
    click.echo(f"  {_program()} collect --all --dry-run")


def _program() -> str:
    """How the person can call the command: by its name where it is on the PATH, else by where it lies."""
    beside = Path(sys.executable).parent / "mosaic-telemetry"
    if shutil.which("mosaic-telemetry") or not beside.exists():
        return "mosaic-telemetry"
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)


def _run(folder: Path, *, quiet: bool) -> dict[str, Any]:
    def say(text: str) -> None:
        if not quiet:
            click.echo(text)

    database = folder / "telemetry.db"
    lay_out(_DATA, folder / "home", datetime.now(UTC))
    with _server(database) as url:
        say(f"A server runs at {url} on a fresh database.\n")
        instance = json.loads(_call("admin", "create-instance", "--database", str(database), "--json"))
        access = {
            "MOSAIC_TELEMETRY_SERVER_URL": url,
            "MOSAIC_TELEMETRY_API_KEY": instance["api_key"],
            "MOSAIC_TELEMETRY_INSTANCE_ID": instance["instance_id"],
            "MOSAIC_TELEMETRY_SPOOL_DIR": str(folder / "spool"),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        as_json = ("--json",) if quiet else ()
        say("1. Collect the recorded sessions of eight harnesses:\n   $ mosaic-telemetry collect --all\n")
        home = folder / "home"
        collected = _call("collect", "--all", *as_json, **access, HOME=str(home), AIDER_CHAT_HISTORY_FILE=str(home / ".aider"))
        say(_indented(collected))
        say("2. Report tasks from an instrumented program, through the SDK:\n   $ python program.py\n")
        reported = _output([sys.executable, str(_DATA / "program.py")], **access)
        say(_indented(reported))
        accepted = sum(int(one or other) for one, other in re.findall(r"(\d+) accepted|\"accepted\": (\d+)", collected))
        _wait_until_counted(url, accepted + int(re.sub(r"\D", "", reported) or 0))
        answers = []
        for number, query in enumerate(_QUERIES, 3):
            say(f"{number}. Ask what the next task will take:\n   $ mosaic-telemetry predict {' '.join(query)}\n")
            answer = _call("predict", *query, *as_json, **access)
            answers.append(answer)
            say(_indented(answer))
    return {"collected": json.loads(collected), "predictions": [json.loads(answer) for answer in answers]} if quiet else {}


def _wait_until_counted(url: str, events: int) -> None:
    """An accepted event shows in predictions within a second; a demonstration can be faster than that."""
    nothing_exact = {"task_type": "unknown", "model": "none", "provider": "unknown", "complexity": "critical"}
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{url}/v1/predictions?{urllib.parse.urlencode(nothing_exact)}", timeout=5) as answer:  # noqa: S310 - our own server
            if json.load(answer)["metadata"]["sample_size"] >= events:
                return
        time.sleep(0.05)


@contextmanager
def _server(database: Path) -> Iterator[str]:
    """A server process on a free port; its URL."""
    with _process(_command("serve", "--port", "0", "--database", str(database))) as process:
        line = process.stdout.readline() if process.stdout else ""
        url = next((word for word in line.split() if word.startswith("http")), None)
        if url is None:
            why = process.stderr.read().strip() if process.stderr else ""
            raise click.ClickException(f"the server did not start: {why.removeprefix('Error: ')}")
        yield url


def _call(*words: str, **env: str) -> str:
    return _output(_command(*words), **env)


def _output(words: Sequence[str], **env: str) -> str:
    with _process(words, **env) as process:
        out, errors = process.communicate(timeout=60)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words, out, errors)
    return out


@contextmanager
def _process(words: Sequence[str], **env: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has ended when the block has: else it would write into a folder that is being removed.

    Ctrl-C waits while the process is made: in the middle of that nobody would know of it any more.
    """
    held: list[int] = []
    process = None
    before = signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
    try:
        try:
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment(env))  # noqa: S603 - our own
        finally:
            signal.signal(signal.SIGINT, before)
        if held:
            raise KeyboardInterrupt
        yield process
    finally:
        if process is not None:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _environment(more: dict[str, str]) -> dict[str, str]:
    """The process's own environment without a person's own server and sessions; a demo on this machine tracks nobody."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    return {**own, **more}


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "mosaic_telemetry", *words]


def _shown(words: Sequence[str]) -> str:
    return " ".join(["mosaic-telemetry", *words[3:]] if list(words[1:3]) == ["-m", "mosaic_telemetry"] else words)


def _indented(text: str) -> str:
    return "".join(f"   {line}\n" if line.strip() else "\n" for line in text.rstrip().splitlines())
