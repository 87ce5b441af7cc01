"""A real server: the command in a process of its own, on a free port and a SQLite file."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

COMMAND = [sys.executable, "-m", "mosaic_telemetry"]


@dataclass(frozen=True)
class Access:
    """An instance with its key."""

    instance_id: str
    api_key: str


def create_instance(database: Path | str) -> Access:
    """A fresh instance, by the command an operator uses."""
    words = [*COMMAND, "admin", "create-instance", "--database", str(database), "--json"]
    answer = json.loads(subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout)
    return Access(answer["instance_id"], answer["api_key"])


class ServerProcess:
    """`mosaic-telemetry serve`, running; ready to answer once made.

    Args:
        database: a file or an address.
        options: further words of the command.
        env: its environment; by default that of the tests.
    """

    def __init__(self, database: Path | str, *options: str, env: Mapping[str, str] | None = None) -> None:
        self.database = database
        words = [*COMMAND, "serve", "--port", "0", "--database", str(database), *options]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.url = next((word for word in line.split() if word.startswith("http")), "")
        assert self.url, f"the server did not start: {line!r}"

    def request(self, method: str, path: str, body: bytes | Any = None, *, key: str | None = None) -> tuple[int, Any]:
        """Status and JSON body of a request."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers={"Content-Type": "application/json"})
        if key is not None:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def request_text(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any, str]:
        """Status, headers and text of a page."""
        request = urllib.request.Request(self.url + path, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self._close()

    def stop(self) -> int:
        """SIGTERM, and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._close()

    def _close(self) -> int:
        code = self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None and "COVERAGE_PROCESS_CONFIG" in os.environ:
            self.stop()  # a killed process could not say what it has covered
        elif self.process.poll() is None:
            self.kill()
        elif self.process.stdout is not None:
            self.process.stdout.close()
