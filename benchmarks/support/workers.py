"""Processes in which clients are measured: fresh for each measurement, and ended when their time is over."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from support.environment import BENCHMARKS, PYTHON, clean_environment


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a worker ended.

    Attributes:
        result: what its task said; None where it did not come to that.
        code: exit code; None where it had to be ended (it hung).
        errors: what it wrote to standard error.
    """

    result: Any
    code: int | None
    errors: str


class Worker:
    """A process that runs `task` (a `module.function` in `tasks`) with a client.

    It says `ready` when the client is imported and set up, goes on at `go`, may `say` things meanwhile, and prints its result.
    """

    def __init__(self, client: str, task: str, **options: Any) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `finish`
        words = [str(PYTHON), "-u", str(BENCHMARKS / "worker.py"), client, task, json.dumps(options)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=clean_environment(), start_new_session=True
        )
        self.ended = 0.0  # when it had ended, on the monotonic clock
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._gone = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._wait, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.decode())
        self._lines.put(None)

    def _wait(self) -> None:
        self._process.wait()  # without a time limit: with one, Python polls, up to 50 ms late
        self.ended = time.monotonic()
        self._gone.set()

    def hear(self, timeout: float) -> Any:
        """The next thing that the worker says; None when it has ended or says nothing in time."""
        try:
            line = self._lines.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None
        return None if line is None else json.loads(line)

    def ready(self, timeout: float = 60.0) -> None:
        """Wait until it is ready."""
        if self.hear(timeout) != "ready":
            raise RuntimeError(f"a worker did not start: {self.finish(0).errors[-2000:]}")

    def go(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def finish(self, timeout: float) -> Outcome:
        """Wait for its end; after `timeout` seconds it is killed, with the children that it left."""
        result = None
        end = time.monotonic() + timeout
        hung = not self._gone.wait(timeout)
        if hung:
            with suppress(ProcessLookupError):  # it may end in this very moment
                os.killpg(self._process.pid, signal.SIGKILL)  # a group of its own: it and its children
            self._gone.wait()
        while (said := self.hear(max(end - time.monotonic(), 1.0))) is not None:
            result = said
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        with self._errors as file:
            file.seek(0)
            errors = file.read().decode("utf-8", "replace")
        return Outcome(result, None if hung else self._process.returncode, errors)


def run(client: str, task: str, timeout: float = 120.0, **options: Any) -> Any:
    """The result of a task that needs no help on its way."""
    worker = Worker(client, task, **options)
    worker.ready()
    worker.go()
    outcome = worker.finish(timeout)
    if outcome.code != 0 or outcome.result is None:
        how = f"hung for {timeout:g} s" if outcome.code is None else f"ended with {outcome.code}"
        raise RuntimeError(f"{task} with {client} {how}: {outcome.errors[-2000:]}")
    return outcome.result
