"""A server on ClickHouse as a user has it: the command, its pages, and the other commands on its database."""

import json
import subprocess
import time
import uuid
from datetime import UTC, datetime

import pytest
from support.clickhouse import ClickhouseServer
from support.server import COMMAND, ServerProcess, create_instance
from support.waiting import wait_for

from mosaic_telemetry.server.examples import EXAMPLES

QUERY = {"task_type": "debugging", "model": "a-model", "provider": "openai", "complexity": "high"}
DIMENSIONS = [word for name, value in QUERY.items() for word in (f"--{name.replace('_', '-')}", value)]
PAGES = ("/", "/models?task_type=debugging&complexity=high", "/accuracy", "/predict", "/activity")


@pytest.fixture(scope="module")
def clickhouse():
    """A ClickHouse server."""
    server = ClickhouseServer()
    yield server
    server.close()


@pytest.fixture
def url(clickhouse, tmp_path):
    return clickhouse.database(tmp_path / "accounts.db")


def events(access, count):
    now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    event = {**EXAMPLES["TaskCompletionEvent"], **QUERY, "instance_id": access.instance_id, "timestamp": now}
    return [{**event, "event_id": str(uuid.uuid4())} for _ in range(count)]


def ask(server):
    return server.request("POST", "/v1/predictions/batch", {"queries": [QUERY]})[1]["results"][0]


def run(*words, code=0):
    """What a command says; of a JSON object its value."""
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_the_server_and_all_commands_work_on_it(url, tmp_path):
    access, leaving = create_instance(url), create_instance(url)
    with ServerProcess(url, "--key-rate", "0.01", "--key-burst", "5") as server:
        sent = events(access, 50)
        for _ in range(2):  # the second time as duplicates, which are answered as accepted, and not counted
            status, answer = server.request("POST", "/v1/events/batch", {"events": sent}, key=access.api_key)
            assert (status, answer["accepted"], answer["rejected"]) == (202, 50, 0)
        assert server.request("POST", "/v1/events/batch", {"events": events(leaving, 10)}, key=leaving.api_key)[0] == 202
        wait_for(lambda: ask(server)["metadata"]["sample_size"] == 60, 60, "a prediction from all events")
        assert ask(server)["prediction"]["input_tokens"]["median"] > 0
        statuses = [server.request("POST", "/v1/events/batch", {"events": sent}, key=access.api_key)[0] for _ in range(5)]
        assert (statuses[0], statuses[-1]) == (202, 429)
        assert server.request("GET", "/readyz")[0] == 200
        pages = {page: server.request_text(page) for page in PAGES}
        assert {page: status for page, (status, _, _) in pages.items()} == dict.fromkeys(PAGES, 200)
        assert {page for page, (_, _, text) in pages.items() if "a-model" in text} == set(PAGES[:2])

        # While the server runs, as on any other database.
        assert len(run("export", "--database", url).splitlines()) == 60
        assert run("report", "--database", url, "--json")["total"]["events"] == 60
        assert run("predict", *DIMENSIONS, "--database", url, "--json")["metadata"]["sample_size"] == 60
        assert {one["instance_id"] for one in run("admin", "list", "--database", url, "--json")} == {access.instance_id, leaving.instance_id}
        words = ("erase", "--server", server.url, "--api-key", leaving.api_key, "--instance-id", leaving.instance_id, "--yes", "--json")
        assert run(*words)["erased"] == 10
        wait_for(lambda: ask(server)["metadata"]["sample_size"] == 50, 30, "a prediction without what was erased")
        assert server.stop() == 0

    keyed = ("--source", "here.example", "--key", tmp_path / "key.pem", "--new-key", "--least-contributors", 1)
    run("admin", "export-cells", tmp_path / "cells.bin", *keyed, "--database", url)
    assert (tmp_path / "cells.bin").stat().st_size > 100
    assert run("admin", "copy", tmp_path / "copy.db", "--database", url, "--json")["rows"]["events"] == 50
    assert run("report", "--database", tmp_path / "copy.db", "--json")["total"]["events"] == 50
    assert "BACKUP" in run("admin", "backup", tmp_path / "t.bak", "--database", url, code=1)
    assert run("admin", "migrate", "--check", "--database", url)
