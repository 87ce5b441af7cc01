"""A server whose database takes long to open: who asks is told, and served as soon as that is done."""

import contextlib
import json
import re
import signal
import subprocess
import urllib.error
import urllib.request

import apsw
import pytest
from support.server import COMMAND
from support.waiting import wait_for


class Opening:
    """A server whose database somebody else holds, so that its tables cannot be made yet."""

    def __init__(self, folder, *options):
        self.holder = apsw.Connection(str(folder / "t.db"))
        self.holder.execute("BEGIN IMMEDIATE")
        words = [*COMMAND, "serve", "--port", "0", "--database", str(folder / "t.db"), *options]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said = self.process.stderr.readline()
        self.url = "http://127.0.0.1:" + re.search(r"port (\d+)", self.said)[1]

    def ask(self, path, body=None, method=None):
        """Status, JSON and headers."""
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json", "X-Request-ID": "my-request"}, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, json.loads(answer.read() or "null"), answer.headers

    def close(self):
        self.process.kill()
        self.process.communicate()
        self.holder.close()


@pytest.fixture(params=[1, 2])
def opening(tmp_path, request):
    opening = Opening(tmp_path, "--workers", str(request.param))
    yield opening
    opening.close()


def test_while_the_tables_are_made_the_process_is_healthy_and_not_ready_and_then_it_is(opening):
    assert "the database is being opened, and brought up to date" in opening.said
    status, answer, _ = opening.ask("/healthz")
    assert (status, answer["status"]) == (200, "ok")
    for path, body, method in (("/readyz", None, None), ("/v1/events/batch", b'{"events": []}', None), ("/metrics", None, None), ("/", None, "DELETE")):
        status, answer, headers = opening.ask(path, body, method)
        assert (status, list(answer)) == (503, ["error"]), path
        assert "migrating" in answer["error"]
        assert int(headers["Retry-After"]) >= 1
        assert headers["X-Request-ID"] == "my-request"
    assert opening.ask("/readyz", method="HEAD")[0] == 503
    opening.holder.execute("ROLLBACK")

    def ready():
        with contextlib.suppress(OSError):  # between the one that answered and the workers there is a moment without either
            return opening.ask("/readyz")[0] == 200
        return False

    wait_for(ready, 30, "the server's being ready")
    assert opening.url in opening.process.stdout.readline()
    assert opening.ask("/v1/events/batch", b"{}")[0] == 401
    opening.process.terminate()
    _, errors = opening.process.communicate(timeout=30)
    assert (opening.process.returncode, errors) == (0, "")


def test_it_can_be_stopped_meanwhile(opening):
    assert opening.ask("/healthz")[0] == 200
    opening.process.send_signal(signal.SIGTERM)
    assert opening.process.wait(20) == -signal.SIGTERM
    assert opening.process.stdout.read() == ""


def test_a_database_that_cannot_be_opened_in_the_end_is_one_line(tmp_path):
    opening = Opening(tmp_path)
    opening.holder.execute("PRAGMA user_version = 99; PRAGMA application_id = 0x4D6F5465; COMMIT")
    _, errors = opening.process.communicate(timeout=30)
    opening.close()
    assert opening.process.returncode == 1
    assert re.fullmatch(r"Error: .* newer mosaic-telemetry .*\n", errors)
