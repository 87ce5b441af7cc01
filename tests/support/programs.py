"""Programs that report, in processes of their own, for tests that kill, fork and starve them."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

import mosaic_telemetry
from support.waiting import wait_for

__all__ = ["VERSIONS", "Program", "environment", "interpreter"]

VERSIONS = ("3.11", "3.12", "3.13")
_SOURCES = [str(Path(mosaic_telemetry.__file__).parent.parent), str(Path(__file__).parent.parent)]
_PRELUDE = "import os, signal, sys, threading, time\nfrom support.reporting import forever, new_client, say, track, wait\n"


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """The environment of a program whose configuration is `settings`, by their names in `TelemetryConfig`."""
    # Without coverage: its tracer takes a lock of its own, which a signal handler or a fork in the middle of a traced call waits for for ever.
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and not name.startswith("COVERAGE_")}
    ours = {f"MOSAIC_TELEMETRY_{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    return {**inherited, "PYTHONPATH": os.pathsep.join(_SOURCES), "PYTHONDONTWRITEBYTECODE": "1", **ours}


@cache
def interpreter(version: str) -> str | None:
    """An interpreter of a version that runs without our virtual environment, or None; pyenv's are found as well."""
    candidates = [shutil.which(f"python{version}")]
    if pyenv := shutil.which("pyenv"):
        root = Path(subprocess.run([pyenv, "root"], check=True, capture_output=True, text=True, timeout=30).stdout.strip())
        candidates += map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}")))
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        candidates.insert(0, sys.executable)
    for candidate in filter(None, candidates):
        probe = [candidate, "-c", "import sys; print('.'.join(map(str, sys.version_info[:2])))"]
        if subprocess.run(probe, check=False, capture_output=True, text=True, timeout=30).stdout.strip() == version:
            return candidate
    return None


class Program:
    """A program that runs; ends with the block at the latest.

    Args:
        code: what it runs, after `support.reporting` is imported.
        settings: its configuration, by the names of `TelemetryConfig`.
        python: the interpreter.
        command: the whole command instead, for programs that are no snippet.
        options: further arguments of `subprocess.Popen`.

    Attributes:
        lines: what it said so far.
        errors: what it wrote to its standard error so far.
    """

    def __init__(self, code: str, settings: Mapping[str, object], *, python: str = sys.executable, command: list[str] | None = None, **options: Any) -> None:
        words = command or [python, "-X", "faulthandler", "-c", _PRELUDE + textwrap.dedent(code)]
        env = environment(settings) | options.pop("env", {})
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(words, env=env, start_new_session=True, **pipes, **options)
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=_read, args=pair, daemon=True) for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ids(self) -> list[str]:
        """Ids of the events whose `track` returned."""
        return [line[3:] for line in list(self.lines) if line.startswith("id ")]

    @property
    def trouble(self) -> str:
        """Its standard error, without what our own logger may say."""
        return "\n".join(line for line in self.errors if not line.startswith("mosaic-telemetry: "))

    def wait_for(self, line: str, timeout: float = 30.0) -> None:
        """Until it says `line`."""
        wait_for(lambda: line in self.lines or self.process.poll() is not None, timeout, f"the word {line!r}")
        wait_for(lambda: line in self.lines, 5, f"the word {line!r} before the end of the program: {self.errors}")

    def kill(self) -> Self:
        """SIGKILL, and wait until it is gone."""
        return self.send(signal.SIGKILL).end()

    def send(self, number: int) -> Self:
        self.process.send_signal(number)
        return self

    def end(self, timeout: float = 60.0) -> Self:
        """Wait until it has ended and all that it said is read."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # faulthandler tells where it hangs
            self.process.wait(10)
            for reader in self._readers:
                reader.join(5)
            raise AssertionError(f"the program hangs: {self.lines[-3:]}\n" + "\n".join(self.errors)) from None
        for reader in self._readers:
            reader.join(30)  # a child of its own may keep the pipe for longer
        return self

    @property
    def code(self) -> int | None:
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # with the children that it may have left
        self.process.wait(30)
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def _read(stream: IO[bytes], lines: list[str]) -> None:
    try:
        for line in stream:
            lines.append(line.decode(errors="replace").rstrip("\n"))  # noqa: PERF401 - seen line by line
    except ValueError:  # closed
        return
