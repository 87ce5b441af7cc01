"""A ClickHouse: the embedded engine behind a server's HTTP interface, started and thrown away by the tests that use it."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import quote

import clickhouse_connect
import pytest

PROGRAM = Path(__file__).with_name("clickhouse_http.py")


class ClickhouseServer:
    """A server on a free port, with a directory of its own."""

    def __init__(self) -> None:
        if find_spec("chdb") is None:
            pytest.skip("no embedded ClickHouse on this machine: install chdb-core")
        self.folder = Path(tempfile.mkdtemp(prefix="mt-ch-"))
        self._numbers = count()
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start it, or start it again on the same port; returns when it answers."""
        words = [sys.executable, str(PROGRAM), str(self.folder / "data"), str(self._port)]
        if guard := shutil.which("setpriv"):  # so that it does not outlive the tests, however they end
            words = [guard, "--pdeathsig", "KILL", "--", *words]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)
        self._process.stdout.close()
        self._process = None

    def close(self) -> None:
        """Stop it and throw its directory away."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self, accounts: Path | str, **options: object) -> str:
        """The address of a new database, beside one that keeps the accounts."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name, accounts, **options)

    def url(self, name: str, accounts: Path | str, **options: object) -> str:
        """The address of a database."""
        given = {"accounts": accounts, "insert_ms": 0, **options}
        return f"clickhouse://default@127.0.0.1:{self._port}/{name}?" + "&".join(f"{key}={quote(str(value))}" for key, value in given.items())

    def drop(self, url: str) -> None:
        """Throw a database away."""
        self.execute(f"DROP DATABASE IF EXISTS {name_in(url)} SYNC")

    def execute(self, statement: str, database: str = "default") -> list[tuple[object, ...]]:
        """Run one statement; its rows."""
        client = clickhouse_connect.get_client(host="127.0.0.1", port=self._port, database=database, autogenerate_session_id=False, dedicated_pool=True)
        try:
            if statement.lstrip().upper().startswith("SELECT"):
                return [tuple(row) for row in client.query(statement).result_rows]
            client.command(statement)
            return []
        finally:
            client.close()


def name_in(url: str) -> str:
    """The name of the database in an address."""
    return url.partition("?")[0].rpartition("/")[2]
