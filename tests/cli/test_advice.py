"""What compare, budget, erase and report --accuracy say to a person."""

import json
import threading
import uuid
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from support.server import ServerProcess, create_instance

from mosaic_telemetry.cli.app import app
from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

KIND = {"task_type": "debugging", "model": "gpt-5", "provider": "openai", "complexity": "medium"}


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "t.db"
    with open_engine(path) as engine:
        instance = engine.local_instance()
        engine.ingest(instance, [event(instance, number) for number in range(40)] + [event(instance, 1, model="new") for _ in range(2)])
        engine.roll_up()
    return path


def event(instance, number, **changes):
    own = {"event_id": str(uuid.uuid4()), "instance_id": str(instance.instance_id), "actual_cost_usd_micros": 400_000 + 5000 * number}
    outcome = {"outcome": "success" if number % 4 else "failure"}
    return from_dict(TaskCompletionEvent, {**EXAMPLES["TaskCompletionEvent"], **KIND, **own, **outcome, **changes})


def run(*words, **options):
    return CliRunner().invoke(app, words, env={"MOSAIC_TELEMETRY_SERVER_URL": "", "COLUMNS": "80"}, **options)


def test_compare_names_cost_per_success_and_what_is_not_known(database):
    done = run("compare", "--task-type", "debugging", "--database", str(database))
    assert done.exit_code == 0
    assert "$0.66 ($0." in done.output
    assert "75 %" in done.output
    assert "not enough data" in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    assert "No model has been reported" in run("compare", "--task-type", "planning", "--database", str(database)).output


def test_budget_says_how_likely_and_how_much_more(database):
    words = ("budget", "--task-type", "debugging", "--model", "gpt-5", "--database", str(database))
    plain = run(*words, "--cost", "0.5")
    assert plain.exit_code == 0
    assert "$0.50" in plain.output
    assert "n = 40, confidence medium." in plain.output
    begun = run(*words, "--spent-cost", "0.45")
    assert "still to come" in begun.output
    beyond = run(*words, "--spent-cost", "100", "--spent-time", "1", "--cost", "0.5", "--input-tokens", "1000000", "--time", "5000")
    assert "Cost: more than any such task took." in beyond.output
    assert "Time: more" not in beyond.output
    assert max(map(len, [*begun.output.splitlines(), *beyond.output.splitlines()])) <= 80
    assert "Not enough is known" not in plain.output
    assert run(*words, "--cost", "-1").exit_code == 2


def test_accuracy_is_reported_where_there_is_any(database, tmp_path):
    done = run("report", "--accuracy", "--database", str(database))
    assert done.exit_code == 0
    with open_engine(tmp_path / "new.db"):
        pass
    assert "No prediction has been held against" in run("report", "--accuracy", "--database", str(tmp_path / "new.db")).output


def test_erase_asks_first_and_takes_everything_back(database):
    asked = run("erase", "--database", str(database), input="n\n")
    assert asked.exit_code == 1
    assert "This cannot be undone" in asked.output
    assert "erased 42 events" in run("erase", "--database", str(database), "--yes").output
    assert "erased 0 events" in run("erase", "--database", str(database), "--yes").output
    assert "there is no instance" in run("erase", "--database", str(database), "--yes", "--instance-id", str(uuid.uuid4())).output
    assert "is no UUID" in run("erase", "--database", str(database), "--yes", "--instance-id", "me").output
    assert "takes --api-key" in run("erase", "--server", "http://127.0.0.1:9", "--yes").output


@pytest.mark.parametrize("command", ["budget", "predict"])
def test_nothing_is_known_yet_and_what_cannot_be_a_model(command, tmp_path):
    with open_engine(tmp_path / "new.db"):
        pass
    done = run(command, "--task-type", "planning", "--model", "gpt-5", "--database", str(tmp_path / "new.db"))
    assert (done.exit_code, "Not enough is known yet" in done.output) == (0, True)
    wrong = run(command, "--task-type", "planning", "--model", "x" * 101, "--database", str(tmp_path / "new.db"))
    assert (wrong.exit_code, "1 to 100" in wrong.output) == (2, True)


def test_a_server_is_asked_the_same_and_says_the_same(database):
    commands = [
        ("compare", "--task-type", "debugging", "--model", "gpt-5", "--budget", "9"),
        ("budget", "--task-type", "debugging", "--model", "gpt-5", "--cost", "0.5", "--spent-time", "1"),
        ("report", "--accuracy"),
    ]
    before = [run(*words, "--database", str(database)).output for words in commands]
    with ServerProcess(database) as server:
        assert [run(*words, "--server", server.url).output for words in commands] == before
        assert all(isinstance(json.loads(run(*words, "--server", server.url, "--json").output), dict) for words in commands)


def test_erasing_on_a_server_takes_the_instances_own_key(database):
    access = create_instance(database)
    with ServerProcess(database) as server:
        own = ("erase", "--server", server.url, "--instance-id", access.instance_id)
        told = {"schema_version": "1.0", "event_id": str(uuid.uuid4()), "instance_id": access.instance_id}
        status, answer = server.request("POST", "/v1/events/batch", {"events": [EXAMPLES["TaskCompletionEvent"] | told]}, key=access.api_key)
        assert (status, answer["accepted"]) == (202, 1)
        refused = run(*own, "--api-key", "0" * 64, "--yes")
        assert (refused.exit_code, "HTTP 401" in refused.output, refused.output.count("\n")) == (1, True, 1)
        asked = run(*own, "--api-key", access.api_key, input="n\n")
        assert (asked.exit_code, f"{access.instance_id} in {server.url}" in asked.output) == (1, True)
        assert json.loads(run(*own, "--api-key", access.api_key, "--yes", "--json").output) == {"instance_id": access.instance_id, "erased": 1}
        assert "erased 0 events" in run(*own, "--api-key", access.api_key, "--yes").output


@pytest.mark.parametrize(
    "words",
    [("compare", "--task-type", "debugging"), ("budget", "--task-type", "debugging", "--model", "m"), ("report", "--accuracy")],
    ids=lambda words: words[0],
)
def test_a_server_that_is_none_is_one_line(words, another_server):
    dead = run(*words, "--server", "http://127.0.0.1:1")
    assert (dead.exit_code, "is the server running there?" in dead.output, dead.output.count("\n")) == (1, True, 1)
    other = run(*words, "--server", another_server)
    assert (other.exit_code, "is it a mosaic-telemetry server?" in other.output, other.output.count("\n")) == (1, True, 1)
    nonsense = run(*words, "--server", "localhost")
    assert (nonsense.exit_code, "'localhost' is not a URL such as http://localhost:8000" in nonsense.output) == (2, True)


@pytest.fixture
def another_server(tmp_path):
    """A web server that is another one: of the files in an empty folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing on the terminal."""


def test_erase_asks_only_where_there_is_something(tmp_path):
    done = run("erase", "--database", str(tmp_path / "none.db"), input="y\n")
    assert (done.exit_code, done.output.count("\n"), "cannot be undone" in done.output) == (1, 1, False)


@pytest.mark.parametrize(
    "words", [("compare", "--task-type", "debugging"), ("budget", "--task-type", "debugging", "--model", "m"), ("report", "--accuracy"), ("erase", "--yes")]
)
def test_no_database_is_one_line(words, tmp_path):
    done = run(*words, "--database", str(tmp_path / "none.db"))
    assert done.exit_code == 1
    assert done.output.startswith("Error: no database at ")
    assert done.output.count("\n") == 1
