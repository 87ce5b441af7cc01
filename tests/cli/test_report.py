"""`report`, on a database and on a server."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.events import fields
from support.server import COMMAND, ServerProcess, create_instance
from support.waiting import wait_for

import mosaic_telemetry.cli
from mosaic_telemetry.cli.report import sparkline
from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict

DEMO = Path(mosaic_telemetry.cli.__file__).parent / "demo_data"
NOW = datetime.now(UTC)
TASKS = [
    # days ago, model, outcome, cost in micro-dollars
    (0, "sonnet", "success", 400_000),
    (0, "sonnet", "failure", 200_000),
    (1, "opus", "success", 2_000_000),
    (1, "mystery", "success", 0),
    (40, "sonnet", "success", 1_000_000),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "telemetry.db"
    with open_engine(path) as engine:
        instance = engine.local_instance()
        engine.ingest(
            instance,
            [
                from_dict(
                    TaskCompletionEvent,
                    fields(model=model, outcome=outcome, actual_cost_usd_micros=cost)
                    | {
                        "instance_id": str(instance.instance_id),
                        "event_id": f"00000000-0000-7000-8000-{number:012}",
                        "schema_version": "1.0",
                        "timestamp": (NOW - timedelta(days=ago)).isoformat(),
                    },
                )
                for number, (ago, model, outcome, cost) in enumerate(TASKS)
            ],
        )
    return path


def run(*words, **env):
    own = {name: value for name, value in os.environ.items() if not name.startswith("MOSAIC_TELEMETRY_")}
    return subprocess.run([*COMMAND, "report", *words], env={**own, **env}, capture_output=True, text=True, timeout=60, check=False)


def test_the_last_week_by_day_model_and_task_type(database):
    done = run("--database", str(database))
    assert (done.returncode, done.stderr) == (0, "")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert "4 tasks, $2.60 spent, 75 % succeeded, $1.30 per success" in done.stdout
    assert "1 of them have no known price" in done.stdout
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert rows[NOW.date().isoformat()][1:] == ["2", "240k", "10k", "$0.60", "50", "%", "$0.60"]
    assert rows["opus"][1:] == ["1", "120k", "5k", "$2.00", "100", "%", "$2.00"]
    assert rows["mystery"][1:] == ["1", "120k", "5k", "unknown", "100", "%", "unknown"]
    assert re.search("spend +▃█\n", done.stdout) or "▃" in done.stdout
    order = [line.split()[0] for line in done.stdout.splitlines() if line.split()[:1] in (["opus"], ["sonnet"], ["mystery"])]
    assert order == ["opus", "sonnet", "mystery"], "the dearest first"


def test_at_80_columns_names_are_shortened_and_figures_are_not(tmp_path):
    path = tmp_path / "long.db"
    with open_engine(path) as engine:
        instance = engine.local_instance()
        own = {"instance_id": str(instance.instance_id), "event_id": "00000000-0000-7000-8000-000000000001", "schema_version": "1.0"}
        long = fields(model="a-model-with-a-name-that-is-much-too-long", actual_cost_usd_micros=98_765_432, actual_input_tokens=1_234_567)
        engine.ingest(instance, [from_dict(TaskCompletionEvent, long | own | {"timestamp": NOW.isoformat()})])
    text = run("--database", str(path), COLUMNS="80").stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    (line,) = (line for line in text.splitlines() if "a-model" in line)
    assert re.fullmatch(r" a-model-[\w-]*… +1 +1\.23M +\S+ +\$98\.77 +100 % +\$98\.77 ", line)
    nowhere = run("--database", str(path), "--by", "project").stdout
    assert "Of no task on these days is the project known" in nowhere
    assert json.loads(run("--database", str(path), "--by", "project", "--json").stdout)["by"] == {"project": {}}


def test_json_holds_the_exact_sums(database):
    answer = json.loads(run("--database", str(database), "--since", "60d", "--by", "model", "--json").stdout)
    assert answer["total"] | {"success_rate": None} == {
        "events": 5,
        "successes": 4,
        "gates_passed": 5,
        "priced": 4,
        "priced_successes": 3,
        "cost_usd_micros": 3_600_000,
        "input_tokens": 600_000,
        "output_tokens": 25_000,
        "duration_ms": 5 * 61_500,
        "success_rate": None,
        "cost_per_success_usd_micros": 1_200_000,
    }
    assert list(answer["by"]) == ["model"]
    assert {model: row["events"] for model, row in answer["by"]["model"].items()} == {"opus": 1, "sonnet": 3, "mystery": 1}


def test_nothing_on_these_days(database):
    done = run("--database", str(database), "--since", "2020-01-01", "--until", "2020-01-31")
    assert done.returncode == 0
    assert "No task ended on these days" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "'yesterday' is no day"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "lies after"),
        (("--database", "/nowhere/t.db"), "no database at /nowhere/t.db"),
        (("--server", "http://127.0.0.1:1"), "takes an API key"),
        (("--server", "http://127.0.0.1:1", "--api-key", "x"), "is the server running there?"),
        (("--server", "http://127.0.0.1:1", "--database", "x.db"), "not both"),
    ],
)
def test_what_is_wrong_is_said(words, said):
    done = run(*words)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_reports_the_same_as_its_database(database):
    access = create_instance(database)
    words = ("--since", "60d", "--json")
    with ServerProcess(database) as server:
        wait_for(lambda: json.loads(run(*words, "--server", server.url, "--api-key", access.api_key).stdout)["total"], 20, "totals")
        asked = json.loads(run(*words, "--server", server.url, "--api-key", access.api_key).stdout)
        refused = run(*words, "--server", server.url, "--api-key", "0" * 64)
        assert server.request("GET", "/v1/totals?since=soon", key=access.api_key)[0] == 422
        assert server.request("GET", "/v1/totals?since=2026-01-02&until=2026-01-01", key=access.api_key)[0] == 422
    assert asked == json.loads(run(*words, "--database", str(database)).stdout)
    assert "HTTP 401" in refused.stderr


def test_a_sparkline_shows_what_is_large():
    assert sparkline([0, 1, 4, 8]) == " ▂▅█"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "  "


def test_projects_are_noted_by_collect_and_known_to_this_machine_alone(tmp_path):
    sessions = tmp_path / "home" / ".claude" / "projects" / "p"
    sessions.mkdir(parents=True)
    recording = next(path for path in DEMO.rglob("*.jsonl") if "claude" in str(path.relative_to(DEMO)) and '"cwd"' in path.read_text())
    shutil.copy(recording, sessions / recording.name)
    folder = json.loads(next(line for line in recording.read_text().splitlines() if '"cwd"' in line))["cwd"]
    database = tmp_path / "data" / "telemetry.db"
    database.parent.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MOSAIC_", "XDG_"))} | {"HOME": str(tmp_path / "home")}
    words = [*COMMAND, "collect", "claude-code", str(tmp_path / "home" / ".claude"), "--database", str(database)]
    subprocess.run([*words, "--dry-run"], env=env, capture_output=True, check=True, timeout=60)
    assert not (database.parent / "projects.db").exists()
    subprocess.run(words, env=env, capture_output=True, check=True, timeout=60)
    assert (database.parent / "projects.db").stat().st_mode & 0o777 == 0o600
    answer = json.loads(run("--database", str(database), "--since", "3000d", "--by", "project", "--by", "model", "--json").stdout)
    projects = answer["by"]["project"]
    assert list(projects) == [folder]
    assert projects[folder]["events"] == answer["total"]["events"] > 0
    assert projects[folder]["input_tokens"] == answer["total"]["input_tokens"]
    assert folder.encode() not in database.read_bytes()
    assert folder.rpartition("/")[2] in run("--database", str(database), "--since", "3000d", "--by", "project").stdout
    refused = run("--server", "http://127.0.0.1:1", "--api-key", "x", "--by", "project")
    assert "projects never leave a machine" in refused.stderr
