"""The sink's client: starts its process and gives commands."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Server:
    """A running sink. May be used from several threads."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("sink.py")
        self._process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._lock = threading.Lock()

    def command(self, word: str, **more: Any) -> Any:
        """Give a command and read its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"command": word, **more}).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def open(self, kind: str = "ok", **mode: Any) -> Port:
        """A new listener that begins in a mode."""
        answer = self.command("open")
        port = Port(self, answer["id"], answer["port"])
        port.mode(kind, **mode)
        return port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Port:
    """One listener of a sink."""

    def __init__(self, server: Server, number: int, port: int) -> None:
        self._server = server
        self._number = number
        self.url = f"http://127.0.0.1:{port}"

    def mode(self, kind: str, **more: Any) -> None:
        """Behave like that from now on; see `support.sink.Listener.mode`."""
        self._server.command("mode", id=self._number, mode={"kind": kind, **more})

    def report(self) -> dict[str, Any]:
        """The counts so far; see `support.sink.Listener.report`."""
        report: dict[str, Any] = self._server.command("report", id=self._number)
        return report

    def among(self, first: int, end: int) -> int:
        """How many of the events `first` to `end` (exclusive) have come."""
        return int(self._server.command("marks", id=self._number, range=[first, end]))

    def wait_for(self, unique: int, timeout: float) -> bool:
        """Wait until `unique` events have come; whether they have."""
        end = time.monotonic() + timeout
        while self.report()["unique"] < unique:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def close(self) -> None:
        """Give up the port."""
        self._server.command("close", id=self._number)
