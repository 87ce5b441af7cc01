"""Servers to measure: ours, and the plain implementation, each on a database of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.environment import BENCHMARKS, ROOT, clean_environment

PLAIN = ROOT / ".venvs" / "plain" / "bin" / "python"


@dataclass
class Target:
    """A server that runs.

    Attributes:
        port: on this machine.
        key: an API key.
        instance: its instance.
        process: the one to stop; its children belong to it.
        database: the file.
    """

    port: int
    key: str
    instance: str
    process: subprocess.Popen[str]
    database: Path

    def load(self, *options: str) -> dict[str, Any]:
        """Let a generator run, and hear its report."""
        words = [sys.executable, "-m", "ingesting.generator", str(self.port), self.key, self.instance, *options]
        said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, cwd=BENCHMARKS).stdout
        report: dict[str, Any] = json.loads(said)
        return report

    def processes(self) -> list[int]:
        """The server's process and its children."""
        pid = self.process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())]

    def memory_mb(self) -> float:
        """The most that any of its processes has held at once so far."""
        peaks = []
        for pid in self.processes():
            lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            peaks += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
        return max(peaks)

    def stored(self) -> tuple[int, int]:
        """Events in the database, and how many of them are counted in cells."""
        import apsw

        connection = apsw.Connection(str(self.database))
        connection.set_busy_timeout(10_000)
        row = connection.execute("SELECT (SELECT max(sequence) FROM events), counted FROM cell_state").get
        connection.close()
        return row[0] or 0, row[1]


def create(directory: Path) -> dict[str, str]:
    """A database with an instance and a key."""
    words = [sys.executable, "-m", "mosaic_telemetry", "admin", "create-instance", "--database", str(directory / "telemetry.db"), "--json"]
    made: dict[str, str] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return made


@contextlib.contextmanager
def ours(directory: Path, workers: int, made: dict[str, str] | None = None) -> Iterator[Target]:
    """`mosaic-telemetry serve` on the database in a directory, made where `made` does not name what is in it."""
    made = made or create(directory)
    database = directory / "telemetry.db"
    words = [sys.executable, "-m", "mosaic_telemetry", "serve", "--port", "0", "--database", str(database), "--workers", str(workers), "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        yield Target(port, made["api_key"], made["instance_id"], process, database)
    finally:
        process.terminate()
        process.communicate(timeout=120)


@contextlib.contextmanager
def plain(directory: Path, workers: int) -> Iterator[Target]:
    """The plain implementation on an empty database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = {"API_KEY": uuid4().hex * 2, "INSTANCE_ID": str(uuid4()), "DATABASE": str(directory / "plain.db")}
    words = [str(PLAIN), "-m", "uvicorn", "plain.app:app", "--port", str(port), "--workers", str(workers), "--no-access-log", "--log-level", "error"]
    environment = {**clean_environment(), **made, "HOME": os.environ.get("HOME", "/")}
    process = subprocess.Popen(words, cwd=BENCHMARKS, env=environment, text=True)
    try:
        _wait_for(port)
        yield Target(port, made["API_KEY"], made["INSTANCE_ID"], process, Path(made["DATABASE"]))
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            if sock.recv(12) == b"HTTP/1.1 200":
                return
        time.sleep(0.1)
    raise RuntimeError("the plain implementation did not start")
