"""From a server with the events of several instances to one without any: export, import, predict, as operators do it."""

import json
import subprocess
import time
import uuid
from types import SimpleNamespace

import pytest
from support.server import COMMAND, ServerProcess, create_instance

from mosaic_telemetry.server.examples import EXAMPLES

KIND = {"task_type": "testing", "model": "gpt-5", "provider": "openai", "complexity": "low"}
ASK = ["predict", "--task-type", "testing", "--model", "gpt-5", "--complexity", "low"]


def run(*words, code=0):
    """What a command prints; of one that fails, its only line."""
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    if code == 1:
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    return done.stderr if code else done.stdout


def report(server, access, count, cost):
    base = {**EXAMPLES["TaskCompletionEvent"], **KIND, "instance_id": access.instance_id}
    events = [{**base, "event_id": str(uuid.uuid4()), "actual_cost_usd_micros": cost + 1000 * number} for number in range(count)]
    status, answer = server.request("POST", "/v1/events/batch", {"events": events}, key=access.api_key)
    assert (status, answer["accepted"]) == (202, count), answer


def predicted(server, until):
    """The answer, as soon as it is as wanted."""
    deadline = time.monotonic() + 20
    while True:
        _, answer = server.request("POST", "/v1/predictions/batch", {"queries": [KIND]})
        found = SimpleNamespace(**answer["results"][0])
        if until(found):
            return found
        assert time.monotonic() < deadline, answer
        time.sleep(0.02)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What a server with six instances publishes; the server runs meanwhile."""
    folder = tmp_path_factory.mktemp("exported")
    database = folder / "a.db"
    people = [create_instance(database) for _ in range(6)]
    with ServerProcess(database) as server:
        for person in people:
            report(server, person, 10, 100_000)
        told = predicted(server, lambda answer: answer.metadata["sample_size"] == 60)
        words = ["admin", "export-cells", folder / "a.cells", "--source", "example.org", "--key", folder / "key.pem", "--database", database]
        shown = json.loads(run(*words, "--new-key", "--json"))
        assert shown["cells"] == 6
        first = (folder / "a.cells").read_bytes()
        assert shown["key"] in run(*words)
        assert (folder / "a.cells").read_bytes() == first
    for person in people:
        assert person.instance_id.encode() not in first
    return SimpleNamespace(file=folder / "a.cells", key=shown["key"], told=told, words=words, folder=folder)


@pytest.mark.parametrize("options", [[], ["--workers", "2"]])
def test_a_fresh_server_answers_on_its_first_day_and_then_from_its_own_events(exported, tmp_path, options):
    database = tmp_path / "b.db"
    access = create_instance(database)
    with ServerProcess(database, *options) as server:
        assert predicted(server, lambda _: True).prediction is None
        assert f"--trust {exported.key}" in run("admin", "import-cells", exported.file, "--database", database, code=1)
        assert "example.org" in run("admin", "import-cells", exported.file, "--trust", exported.key, "--database", database)
        first = predicted(server, lambda answer: answer.prediction is not None)
        assert first.prediction == exported.told.prediction
        about = first.metadata
        assert (about["sample_size"], about["fallback_level"], about["confidence"]) == (0, -1, "low")
        assert (about["prior"]["source"], about["prior"]["sample_size"]) == ("example.org", 60)
        assert "somebody else (example.org) alone" in about["fallback_note"]

        report(server, access, 20, 900_000)
        some = predicted(server, lambda answer: answer.metadata["sample_size"] == 20)
        assert (some.metadata["fallback_level"], some.metadata["prior"]["source"]) == (0, "example.org")
        assert first.prediction["cost_usd_micros"]["median"] < some.prediction["cost_usd_micros"]["median"] < 900_000

        report(server, access, 80, 900_000)
        own = predicted(server, lambda answer: answer.metadata["sample_size"] == 100)
        assert own.metadata["prior"] is None
        assert own.metadata["confidence"] == "high"
        assert own.prediction["cost_usd_micros"]["median"] > 900_000
        (act,) = json.loads(run("admin", "audit", "--limit", "1", "--database", database, "--json"))
        assert (act["action"], act["subject"]) == ("cells.import", "example.org")


def test_it_lasts_over_a_restart_is_renewed_without_naming_the_key_and_can_be_removed(exported, tmp_path):
    database = tmp_path / "b.db"
    run("admin", "import-cells", exported.file, "--trust", exported.key, "--database", database)
    run("admin", "import-cells", exported.file, "--database", database)
    with ServerProcess(database) as server:
        assert predicted(server, lambda _: True).metadata["prior"]["sample_size"] == 60
        run("admin", "import-cells", "--remove", "--database", database)
        assert predicted(server, lambda answer: answer.prediction is None).metadata["prior"] is None
    assert json.loads(run("admin", "import-cells", "--remove", "--database", database, "--json")) == {"removed": False}


def test_predict_takes_a_file_without_importing_it(exported, tmp_path):
    database = tmp_path / "none.db"
    words = [*ASK, "--prior", exported.file, "--trust", exported.key, "--database", database]
    answer = json.loads(run(*words, "--json"))
    assert answer["prediction"] == exported.told.prediction
    assert answer["metadata"]["prior"]["source"] == "example.org"
    assert "example.org" in run(*words)
    assert not database.exists()
    create_instance(database)
    assert json.loads(run(*words, "--json")) == answer
    assert json.loads(run(*ASK, "--database", database, "--json"))["prediction"] is None


def test_what_is_refused_is_refused_in_one_line(exported, tmp_path):
    database = tmp_path / "b.db"
    bad = tmp_path / "bad.cells"
    whole = exported.file.read_bytes()
    other = f"ed25519:{'0' * 64}"
    for data, reason in [
        (whole[:-20], "cut short"),
        (whole[:200] + b"?" + whole[201:], "damaged or changed"),
        (b"SQLite format 3\0", "no file of"),
        (whole[:7] + b"\x09" + whole[8:], "version 9"),
    ]:
        bad.write_bytes(data)
        assert reason in run("admin", "import-cells", bad, "--trust", exported.key, "--database", database, code=1)
        assert reason in run(*ASK, "--prior", bad, "--database", database, code=1)
    assert "not with the trusted" in run("admin", "import-cells", exported.file, "--trust", other, "--database", database, code=1)
    assert "cannot read" in run("admin", "import-cells", tmp_path / "none", "--database", database, code=1)
    run("admin", "import-cells", "--database", database, code=2)
    run("admin", "import-cells", exported.file, "--remove", "--database", database, code=2)
    run(*ASK, "--prior", exported.file, "--server", "http://127.0.0.1:1", code=2)
    run(*ASK, "--trust", exported.key, "--database", database, code=2)


def test_an_export_that_cannot_be_says_why(exported, tmp_path):
    database = tmp_path / "few.db"
    words = ["admin", "export-cells", tmp_path / "out", "--source", "me", "--key", exported.folder / "key.pem", "--database", database]
    assert "no database" in run(*words, code=1)
    create_instance(database)
    assert "events of 5 instances" in run(*words, code=1)
    assert "--new-key makes one" in run(*words, "--key", tmp_path / "none.pem", code=1)
    assert "leave out --new-key" in run(*words, "--new-key", code=1)
    assert "does not say who" in run(*words, "--source", "two\nlines", code=1)
    assert not (tmp_path / "out").exists()
