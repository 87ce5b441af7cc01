"""Servers to measure: ours, and the plain implementation, each on a database of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import apsw
import asyncpg
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
        database: a SQLite file, or the URL of a PostgreSQL database.
    """

    port: int
    key: str
    instance: str
    process: subprocess.Popen[str]
    database: str

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

    def cpu(self) -> float:
        """Seconds of processor time that its processes have used so far."""
        ticks = [Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13] for pid in self.processes()]
        return sum(int(tick) for pair in ticks for tick in pair) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, line: str = "VmHWM") -> float:
        """The most that any of its processes has held at once so far; with "VmRSS" what the largest holds now."""
        found = []
        for pid in self.processes():
            lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            found += [int(text.split()[1]) / 1024 for text in lines if text.startswith(line)]
        return max(found)

    def stored(self) -> tuple[int, int]:
        """Events in the database, and how many of them are counted in cells."""
        row = self._ask("SELECT (SELECT max(sequence) FROM events), counted FROM cell_state")
        return row[0] or 0, row[1]

    def caught_up(self) -> tuple[int, float]:
        """Wait until all events are counted; returns how many there are, and how many seconds that took."""
        begin = time.monotonic()
        while True:
            stored, counted = self.stored()
            if stored == counted:
                return stored, time.monotonic() - begin
            time.sleep(0.1)

    def stop(self) -> None:
        """End it; what it took in is stored and written back where it belongs."""
        self.process.terminate()
        self.process.wait(timeout=120)

    def size(self) -> int:
        """Bytes of the database; to be asked when the server has ended."""
        if is_postgres(self.database):
            return int(self._ask("SELECT pg_database_size(current_database())")[0])
        return Path(self.database).stat().st_size

    def _ask(self, query: str) -> Any:
        if is_postgres(self.database):
            return asyncio.run(_postgres(self.database, query))[0]
        connection = apsw.Connection(self.database)
        connection.set_busy_timeout(10_000)
        row = connection.execute(query).get
        connection.close()
        return row if isinstance(row, tuple) else (row,)


def is_postgres(database: str) -> bool:
    """Whether this is the URL of a PostgreSQL database, and no file."""
    return database.startswith("postgresql://")


@contextlib.contextmanager
def empty(server: str | None) -> Iterator[str]:
    """A database of its own, thrown away afterwards: on a PostgreSQL server, or else a SQLite file."""
    if server is None:
        with tempfile.TemporaryDirectory() as directory:
            yield str(Path(directory) / "telemetry.db")
        return
    name = f"benchmark_{uuid4().hex[:12]}"
    asyncio.run(_postgres(server, f"CREATE DATABASE {name} TEMPLATE template0"))
    parts = urlsplit(server)
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        asyncio.run(_postgres(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def version_of(server: str) -> str:
    """The version of a PostgreSQL server."""
    return str((await _postgres(server, "SHOW server_version"))[0][0])


async def _postgres(url: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def create(database: str) -> dict[str, str]:
    """A database with an instance and a key."""
    words = [sys.executable, "-m", "mosaic_telemetry", "admin", "create-instance", "--database", database, "--json"]
    made: dict[str, str] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return made


@contextlib.contextmanager
def ours(database: str, workers: int, made: dict[str, str] | None = None, options: Sequence[str] = ()) -> Iterator[Target]:
    """`mosaic-telemetry serve` on a database, made where `made` does not name what is in it; with further options, if any."""
    made = made or create(database)
    words = [sys.executable, "-m", "mosaic_telemetry", "serve", "--port", "0", "--database", database, "--workers", str(workers), "--json", *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        yield Target(port, made["api_key"], made["instance_id"], process, database)
    finally:
        process.terminate()
        process.communicate(timeout=120)


@contextlib.contextmanager
def plain(database: str, workers: int) -> Iterator[Target]:
    """The plain implementation on an empty database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = database.replace("postgresql://", "postgresql+psycopg://") if is_postgres(database) else f"sqlite:///{database}"
    made = {"API_KEY": uuid4().hex * 2, "INSTANCE_ID": str(uuid4()), "DATABASE": url}
    environment = {**clean_environment(), **made, "HOME": os.environ.get("HOME", "/")}
    # Tables first and once: several workers that make them at the same moment get in each other's way.
    subprocess.run([str(PLAIN), "-m", "plain.app"], cwd=BENCHMARKS, env=environment, check=True)
    words = [str(PLAIN), "-m", "uvicorn", "plain.app:app", "--port", str(port), "--workers", str(workers), "--no-access-log", "--log-level", "error"]
    process = subprocess.Popen(words, cwd=BENCHMARKS, env=environment, text=True)
    try:
        _wait_for(port)
        yield Target(port, made["API_KEY"], made["INSTANCE_ID"], process, database)
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
