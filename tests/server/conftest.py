import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from mosaic_telemetry.server.examples import EXAMPLES


class Server:
    """A real server process on a database, asked over a real socket."""

    def __init__(self, database, instance_id, api_key):
        self.database = database
        self.instance_id = instance_id
        self.api_key = api_key
        self.process = None
        self.port = 0

    def start(self, *options):
        command = [sys.executable, "-m", "mosaic_telemetry", "serve", "--port", "0", "--database", str(self.database), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"mosaic-telemetry server listening on http://127\.0\.0\.1:(\d+) \(database (.+)\)\n", line)
        assert found, (line, self.process.stderr.read())
        self.port = int(found[1])
        assert found[2] == str(self.database)

    def stop(self, number=signal.SIGTERM):
        """The exit code and what the process wrote to standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method, path, body=None, headers=None):
        """(status, JSON or text, headers) of the answer."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(text) if kind.startswith("application/json") else text.decode(), answer.headers

    def children(self):
        """The process ids of workers and keeper; Linux."""
        pid = self.process.pid
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in pids]

    @property
    def key(self):
        return {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}

    def submit(self, *events):
        status, answer, _ = self.ask("POST", "/v1/events/batch", json.dumps({"events": events}), self.key)
        return status, answer

    def predict(self, **query):
        status, answer, _ = self.ask("POST", "/v1/predictions/batch", json.dumps({"queries": [query]}))
        assert status == 200, answer
        return answer["results"][0]

    def event(self, **changes):
        return {**EXAMPLES["TaskCompletionEvent"], "instance_id": self.instance_id, "event_id": str(uuid.uuid4()), **changes}


def make_server(directory):
    database = directory / "telemetry.db"
    command = [sys.executable, "-m", "mosaic_telemetry", "admin", "create-instance", "--database", str(database), "--json"]
    credentials = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return Server(database, credentials["instance_id"], credentials["api_key"])


@contextlib.contextmanager
def running(server, *options):
    server.start(*options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running server, shared by the tests of a module."""
    with running(make_server(tmp_path_factory.mktemp("server"))) as server:
        yield server


@pytest.fixture
def own_server(tmp_path):
    """A server of this test's own, which it may kill and start again."""
    server = make_server(tmp_path)
    with running(server):
        yield server
