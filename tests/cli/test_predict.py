"""`predict`, asked of a server and of a database."""

import json
import os
import subprocess

import pytest
from support.events import fields
from support.server import COMMAND, ServerProcess, create_instance

from mosaic_telemetry import TelemetryClient, TelemetryConfig
from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import TaskCompletionEvent

ASK = ("--task-type", "implementation", "--model", "claude-sonnet-4-5")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("server") / "telemetry.db") as process:
        access = create_instance(process.database)
        client = TelemetryClient(TelemetryConfig(process.url, access.api_key, access.instance_id, spool_dir=None))
        for number in range(40):
            client.track(client.event_builder.build(**fields(actual_input_tokens=1000 * (number + 1), outcome="success" if number % 4 else "failure")))
        assert client.stop(20)
        yield process


def run(*words, **env):
    own = {name: value for name, value in os.environ.items() if not name.startswith("MOSAIC_TELEMETRY_")}
    return subprocess.run([*COMMAND, "predict", *words], env={**own, **env}, capture_output=True, text=True, timeout=60, check=False)


def wait_until_counted(server):
    from support.waiting import wait_for

    wait_for(lambda: json.loads(run(*ASK, "--server", server.url, "--json").stdout)["metadata"]["sample_size"] == 40, 20, "40 tasks in predictions")


def test_the_table_says_range_median_money_time_success_and_what_it_rests_on(server):
    wait_until_counted(server)
    done = run(*ASK, "--server", server.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    lines = {line.strip().split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "20.5k" in lines["input tokens"]
    assert "$0.41" in lines["cost"]
    assert "1 min 2 s" in lines["time"]
    assert "75 %" in lines["success rate"]
    assert "n = 40 tasks, confidence medium: exactly this kind of task." in done.stdout


def test_a_fallback_is_told_in_words(server):
    wait_until_counted(server)
    done = run("--task-type", "implementation", "--model", "gpt-5", "--server", server.url)
    assert "confidence low" in done.stdout
    assert "with any model" in done.stdout


def test_a_database_is_asked_without_a_server(server):
    done = run(*ASK, "--database", str(server.database), "--json", MOSAIC_TELEMETRY_SERVER_URL="http://127.0.0.1:1")
    answer = json.loads(done.stdout)
    assert (answer["metadata"]["sample_size"], answer["metadata"]["confidence"]) == (40, "medium")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*ASK, "--server", "http://127.0.0.1:1"), "is the server running there?"),
        ((*ASK, "--server", "nonsense"), "server_url: 'nonsense' is not a URL"),
        ((*ASK, "--server", "http://127.0.0.1:1", "--database", "x.db"), "give --server or --database, not both"),
        ((*ASK, "--database", "/nowhere/x.db"), "no database at /nowhere/x.db"),
        (("--task-type", "gardening", "--model", "x"), "'gardening' is not one of 'planning'"),
        (("--task-type", "testing", "--model", "x" * 101), "text of 1 to 100 characters"),
    ],
)
def test_what_is_wrong_is_said(words, said):
    done = run(*words)
    assert done.returncode != 0
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_your_own_history_stands_beside_the_servers_answer(server, tmp_path):
    wait_until_counted(server)
    mine = tmp_path / "mine.db"
    with open_engine(mine) as engine:
        instance = engine.local_instance()
        own = {"instance_id": str(instance.instance_id), "schema_version": "1.0", "timestamp": "2026-02-07T10:00:00Z"}
        engine.ingest(
            instance,
            [TaskCompletionEvent(**own, event_id=f"00000000-0000-7000-8000-{number:012}", **fields(actual_input_tokens=7_000)) for number in range(6)],
        )
        engine.roll_up()
    words = (*ASK, "--server", server.url)
    done = run(*words, MOSAIC_TELEMETRY_DATABASE=str(mine))
    everybody, _, own_part = done.stdout.partition("Your own history")
    assert "20.5k" in everybody
    assert "7k" in own_part
    assert "n = 6 tasks" in own_part
    answer = json.loads(run(*words, "--json", MOSAIC_TELEMETRY_DATABASE=str(mine)).stdout)
    assert (answer["metadata"]["sample_size"], answer["own_history"]["metadata"]["sample_size"]) == (40, 6)
    assert "own_history" not in json.loads(run(*words, "--json", MOSAIC_TELEMETRY_DATABASE=str(tmp_path / "none.db")).stdout)
    (tmp_path / "broken.db").write_bytes(b"no database" * 100)
    assert "Your own" not in run(*words, MOSAIC_TELEMETRY_DATABASE=str(tmp_path / "broken.db")).stdout
