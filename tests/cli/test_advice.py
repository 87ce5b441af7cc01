"""What compare, budget, erase and report --accuracy say to a person."""

import uuid

import pytest
from click.testing import CliRunner

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
    beyond = run(*words, "--spent-cost", "100")
    assert "more than any" in beyond.output
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


@pytest.mark.parametrize(
    "words", [("compare", "--task-type", "debugging"), ("budget", "--task-type", "debugging", "--model", "m"), ("report", "--accuracy"), ("erase", "--yes")]
)
def test_no_database_is_one_line(words, tmp_path):
    done = run(*words, "--database", str(tmp_path / "none.db"))
    assert done.exit_code == 1
    assert done.output.startswith("Error: no database at ")
    assert done.output.count("\n") == 1
