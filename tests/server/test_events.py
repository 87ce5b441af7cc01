import json
import subprocess
import sys
import threading
import uuid

import pytest


def test_half_a_character_and_an_absurd_number_harm_no_other_event(server):
    """Half an emoji is what JavaScript leaves of a text that was cut; no strict decoder takes it."""
    bodies = [server.event(model="cut \ud83d"), server.event(), server.event(language="\udc00")]
    text = json.dumps({"events": bodies}).replace('"retry_count": 0', f'"retry_count": {"9" * 6000}', 1)
    status, answer, _ = server.ask("POST", "/v1/events/batch", text, server.key)
    assert status == 202
    assert [result["status"] for result in answer["results"]] == ["rejected", "accepted", "rejected"]
    assert "model" in answer["results"][0]["error"]
    assert "retry_count" in answer["results"][0]["error"]


def one_line(answer):
    return list(answer) == ["error"] and answer["error"] and "\n" not in answer["error"] and "Traceback" not in answer["error"]


def test_a_hundred_events_with_one_bad(server):
    events = [server.event() for _ in range(100)]
    events[7] |= {"task_type": "cooking", "retry_count": 999}
    status, answer = server.submit(*events)
    assert status == 202
    assert (answer["accepted"], answer["rejected"]) == (99, 1)
    assert [result["event_id"] for result in answer["results"]] == [event["event_id"] for event in events]
    bad = answer["results"][7]
    assert bad["status"] == "rejected"
    assert "task_type: 'cooking'" in bad["error"]
    assert "retry_count: 999" in bad["error"]


def test_duplicates_in_one_batch_and_in_the_next(server):
    event = server.event()
    _, first = server.submit(event, event)
    _, second = server.submit(event)
    assert [result["status"] for result in first["results"] + second["results"]] == ["accepted", "rejected", "rejected"]
    assert all("duplicate" in result["error"] for result in first["results"][1:] + second["results"])


def test_ids_are_given_back_as_they_were_sent(server):
    odd = [{"event_id": "not-a-uuid"}, {"event_id": 5}, {"event_id": "half \ud800"}, {"event_id": server.event()["event_id"].upper()}]
    _, answer = server.submit(*(server.event(**change) for change in odd))
    assert [result["event_id"] for result in answer["results"]] == ["not-a-uuid", "", "half \ud800", odd[3]["event_id"]]
    assert [result["status"] for result in answer["results"]] == ["rejected", "rejected", "rejected", "accepted"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b'{"events": [', 400),
        (b'{"events": [{"model": "\xff"}]}', 400),
        (b'{"events": [{"retry_count": NaN}]}', 400),
        (b'{"events": [{"retry_count": Infinity}]}', 400),
        (b"[" * 200_000, 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"events": []}', 422),
        (b'{"events": {}}', 422),
        (b'{"events": null}', 422),
        (b'{"events": [' + b",".join([b"{}"] * 101) + b"]}", 422),
    ],
)
def test_a_body_that_is_no_batch(server, body, status):
    found, answer, _ = server.ask("POST", "/v1/events/batch", body, server.key)
    assert found in {status, 422 if body.startswith(b"[[") else status}
    assert one_line(answer)


def test_what_is_no_event_is_rejected_beside_a_good_one(server):
    status, answer = server.submit(5, None, [], "x", {}, server.event())
    assert status == 202
    assert (answer["accepted"], answer["rejected"]) == (1, 5)
    assert answer["results"][5]["status"] == "accepted"
    assert all(result["error"] for result in answer["results"][:5])


@pytest.mark.parametrize("key", [None, "", "Bearer", "Bearer ", "Bearer " + "0" * 64, "Basic abc", "Bearer \xff\xfe"])
def test_no_key_or_an_unknown_one(server, key):
    headers = {} if key is None else {"Authorization": key}
    status, answer, found = server.ask("POST", "/v1/events/batch", json.dumps({"events": [server.event()]}), headers)
    assert status == 401
    assert found["www-authenticate"] == "Bearer"
    assert one_line(answer)


def test_the_word_bearer_in_any_case(server):
    status, _, _ = server.ask("POST", "/v1/events/batch", json.dumps({"events": [server.event()]}), {"Authorization": f"bEARER {server.api_key}"})
    assert status == 202


def test_an_event_of_another_instance_refuses_the_batch(server):
    good = server.event()
    status, answer = server.submit(good, server.event(instance_id=str(uuid.uuid4())))
    assert status == 403
    assert one_line(answer)
    assert server.submit(good)[1]["accepted"] == 1


def test_a_key_made_while_the_server_runs_works_at_once(server):
    command = [sys.executable, "-m", "mosaic_telemetry", "admin", "create-instance", "--database", str(server.database), "--json"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    event = server.event(instance_id=made["instance_id"])
    status, answer, _ = server.ask("POST", "/v1/events/batch", json.dumps({"events": [event]}), {"Authorization": f"Bearer {made['api_key']}"})
    assert (status, answer["accepted"]) == (202, 1)


@pytest.mark.parametrize("path", ["/v1/events/batch", "/v1/predictions/batch"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_50_megabytes_gets_its_answer(server, path, chunked):
    megabyte = b"x" * 1_000_000
    body = (megabyte for _ in range(50)) if chunked else megabyte * 50
    status, answer, _ = server.ask("POST", path, body, server.key)
    assert status == 413
    assert one_line(answer)
    assert server.ask("GET", "/healthz")[0] == 200


@pytest.mark.parametrize(("with_key", "status"), [(False, 401), (True, 413)])
def test_a_large_body_is_refused_before_it_is_sent(server, with_key, status):
    connection = server.connect()
    connection.putrequest("POST", "/v1/events/batch")
    connection.putheader("Content-Length", "50000000")
    if with_key:
        connection.putheader("Authorization", server.key["Authorization"])
    connection.endheaders()
    assert connection.getresponse().status == status
    connection.close()


def test_the_same_events_from_many_connections_are_accepted_once(server):
    events = [server.event() for _ in range(100)]
    accepted = []

    def send():
        _, answer = server.submit(*events)
        accepted.extend(result["event_id"] for result in answer["results"] if result["status"] == "accepted")

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == sorted(event["event_id"] for event in events)
