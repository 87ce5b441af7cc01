"""Comparing, budgets, accuracy, erasure and the public profile, asked of a real server."""

import json
import subprocess
import time
import uuid

import pytest
from support.server import COMMAND, ServerProcess, create_instance

from mosaic_telemetry.server.examples import EXAMPLES

KIND = {"task_type": "testing", "model": "gpt-5", "provider": "openai", "complexity": "low"}


def events(access, count, **changes):
    base = {**EXAMPLES["TaskCompletionEvent"], **KIND, "instance_id": access.instance_id, **changes}
    return [{**base, "event_id": str(uuid.uuid4()), "actual_cost_usd_micros": 90_000 + 1000 * number} for number in range(count)]


def report(server, access, count, **changes):
    status, answer = server.request("POST", "/v1/events/batch", {"events": events(access, count, **changes)}, key=access.api_key)
    assert (status, answer["accepted"]) == (202, count), answer


def predicted(server, until, **changes):
    """The answer, as soon as it is as wanted."""
    deadline = time.monotonic() + 10
    while True:
        _, answer = server.request("POST", "/v1/predictions/batch", {"queries": [KIND | changes]})
        if until(answer["results"][0]):
            return answer["results"][0]
        assert time.monotonic() < deadline, answer
        time.sleep(0.02)


def sized(size):
    return lambda answer: answer["metadata"]["sample_size"] == size


def command(*words):
    return json.loads(subprocess.run([*COMMAND, *words, "--json"], check=True, capture_output=True, text=True, timeout=60).stdout)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A server that knows two models on one kind of task."""
    database = tmp_path_factory.mktemp("advice") / "telemetry.db"
    access = create_instance(database)
    with ServerProcess(database) as server:
        report(server, access, 40)
        report(server, access, 10, outcome="failure", quality_gate_passed=False)
        report(server, access, 30, model="dear", outcome="success")
        report(server, access, 3, model="new")
        predicted(server, sized(50))
        predicted(server, lambda answer: answer["metadata"]["sample_size"] >= 30, model="dear")
        yield server


def test_models_are_compared_by_cost_per_success(filled):
    status, answer = filled.request("GET", "/v1/compare?task_type=testing&complexity=low")
    assert status == 200
    models = {one["model"]: one for one in answer["models"]}
    assert [one["model"] for one in answer["models"]] == ["dear", "gpt-5", "new"]
    assert not models["new"]["enough_data"]
    cost = models["gpt-5"]["cost_per_success_usd_micros"]
    assert cost["low"] < cost["value"] < cost["high"]
    assert cost["value"] == pytest.approx(107_600 / 0.8, rel=0.05)
    assert models["gpt-5"]["success_rate"]["value"] == pytest.approx(0.8)
    assert command("compare", "--task-type", "testing", "--complexity", "low", "--server", filled.url) == answer
    assert command("compare", "--task-type", "testing", "--complexity", "low", "--database", str(filled.database)) == answer


def test_a_budget_and_a_list_narrow_the_comparison(filled):
    _, answer = filled.request("GET", "/v1/compare?task_type=testing&complexity=low&model=GPT-5&model=unheard&budget_usd_micros=500000")
    assert [(one["model"], one["enough_data"]) for one in answer["models"]] == [("gpt-5", True), ("unheard", False)]
    _, answer = filled.request("GET", "/v1/compare?task_type=testing&complexity=low&budget_usd_micros=50")
    assert [one["model"] for one in answer["models"]] == ["new"]
    assert filled.request("GET", "/v1/compare?task_type=documentation&complexity=low")[1]["models"] == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/compare?task_type=gardening&complexity=low", "task_type: 'gardening' is none of"),
        ("/v1/compare?task_type=testing", "complexity: is missing"),
        ("/v1/compare?task_type=testing&complexity=low&budget_usd_micros=-1", "budget_usd_micros: '-1' is no number"),
        ("/v1/budget?task_type=testing&model=m&provider=openai", "complexity"),
        ("/v1/budget?task_type=testing&model=m&provider=openai&complexity=low&cost_usd_micros=nan", "cost_usd_micros: 'nan' is no number"),
        ("/v1/budget?task_type=testing&model=m&provider=openai&complexity=low&spent_duration_ms=x", "spent_duration_ms: 'x' is no number"),
    ],
)
def test_a_question_without_form_is_refused_in_one_line(filled, path, said):
    status, answer = filled.request("GET", path)
    assert status == 422
    assert said in answer["error"]
    assert "\n" not in answer["error"]


def test_a_budget_is_kept_as_often_as_the_forecast_says(filled):
    query = "task_type=testing&model=gpt-5&provider=openai&complexity=low"
    _, answer = filled.request("GET", f"/v1/budget?{query}&cost_usd_micros=100000&duration_ms=0")
    cost = answer["quantities"]["cost_usd_micros"]
    assert 0 < cost["chance"] < 0.6
    assert cost["kept_in_9_of_10"] > 110_000
    assert answer["quantities"]["duration_ms"]["chance"] == 0
    assert answer["metadata"]["sample_size"] == 50
    _, begun = filled.request("GET", f"/v1/budget?{query}&cost_usd_micros=130000&spent_cost_usd_micros=115000")
    rest = begun["quantities"]["cost_usd_micros"]
    assert 0 <= rest["still_to_come"]["p10"] <= rest["still_to_come"]["median"] <= rest["still_to_come"]["p90"]
    assert rest["kept_in_9_of_10"] > 115_000
    words = ["--task-type", "testing", "--model", "gpt-5", "--complexity", "low", "--cost", "0.13", "--spent-cost", "0.115"]
    for where in (("--server", filled.url), ("--database", str(filled.database))):
        told = command("budget", *words, *where)["quantities"]["cost_usd_micros"]
        assert told["chance"] == pytest.approx(rest["chance"], abs=0.05)  # the record may have been read at another moment
        assert told["still_to_come"] == pytest.approx(rest["still_to_come"], rel=0.1)


def test_every_task_is_held_against_its_forecast(filled):
    _, answer = filled.request("GET", "/v1/predictions/score")
    cost = answer["targets"]["actual_cost_usd_micros"]
    assert 0 < cost["forecasts"] <= 83
    assert sum(record["forecasts"] for record in answer["records"] if record["target"] == "actual_cost_usd_micros") == cost["forecasts"]
    assert sum(score["forecasts"] for score in cost["by_level"].values()) == cost["forecasts"]
    assert command("report", "--accuracy", "--server", filled.url) == answer == command("report", "--accuracy", "--database", str(filled.database))


def test_an_instance_erases_what_is_its_own_and_nothing_else(tmp_path):
    database = tmp_path / "telemetry.db"
    one, other = create_instance(database), create_instance(database)
    with ServerProcess(database) as server:
        report(server, one, 20)
        before = predicted(server, sized(20))["prediction"]
        report(server, other, 30, task_duration_ms=80_000_000)
        predicted(server, sized(50))
        path = f"/v1/instances/{other.instance_id}/events"
        assert server.request("DELETE", path)[0] == 401
        assert server.request("DELETE", path, key=one.api_key)[0] == 403
        assert server.request("DELETE", f"/v1/instances/{uuid.uuid4()}/events", key=one.api_key)[0] == 403
        assert server.request("DELETE", "/v1/instances/nobody/events", key=one.api_key)[0] == 404
        assert server.request("DELETE", path, key=other.api_key) == (200, {"instance_id": other.instance_id, "erased": 30})
        after = predicted(server, sized(20))["prediction"]
        assert after["duration_ms"] == pytest.approx(before["duration_ms"], rel=0.2)  # what was learned from its forecasts stays
        assert server.request("DELETE", path, key=other.api_key)[1]["erased"] == 0
        words = ["erase", "--server", server.url, "--instance-id", one.instance_id, "--api-key", one.api_key, "--yes"]
        assert command(*words)["erased"] == 20
        predicted(server, sized(0))


def test_on_a_public_server_a_hundred_events_of_one_instance_are_not_shown_and_of_five_are_a_hundred(tmp_path):
    database = tmp_path / "telemetry.db"
    people = [create_instance(database) for _ in range(5)]
    with ServerProcess(database, "--public", "--trial-days", "0") as server:
        for person in people[:4]:
            report(server, person, 100)
        assert predicted(server, sized(0))["prediction"] is None
        report(server, people[4], 100)
        answer = predicted(server, sized(100))
        assert answer["metadata"]["contributors"] == 5
        assert answer["metadata"]["fallback_level"] == 0
        report(server, people[4], 10, actual_output_tokens=9_999_999, task_duration_ms=1)  # nobody writes so fast
        report(server, people[4], 10, actual_cost_usd_micros=1)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and predicted(server, lambda _: True)["metadata"]["sample_size"] == 100:
            time.sleep(0.1)
        assert predicted(server, lambda _: True)["metadata"]["sample_size"] == 100
    with ServerProcess(database) as server:
        assert predicted(server, lambda answer: answer["metadata"]["sample_size"] >= 500)["metadata"]["contributors"] == 5


def test_on_a_public_server_a_new_instance_is_on_trial(tmp_path):
    database = tmp_path / "telemetry.db"
    people = [create_instance(database) for _ in range(5)]
    with ServerProcess(database, "--public") as server:
        for person in people:
            report(server, person, 10)
    with ServerProcess(database) as server:
        report(server, people[0], 5)
        predicted(server, sized(5))
