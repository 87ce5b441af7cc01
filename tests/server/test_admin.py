import json
import uuid

import pytest
from support.server import ServerProcess

from mosaic_telemetry.server.examples import EXAMPLES

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("admin") / "t.db") as process:
        process.admin_key = process.process.stdout.readline().split()[2]
        yield process


@pytest.fixture
def ask(served):
    def ask(method, path, body=None, *, key=served.admin_key):
        return served.request(method, f"/v1/admin{path}", body, key=key)

    return ask


def submit(served, issued, *changes, key=None):
    events = [{**EXAMPLES["TaskCompletionEvent"], "instance_id": issued["instance_id"], "event_id": str(uuid.uuid4()), **change} for change in changes or [{}]]
    return served.request("POST", "/v1/events/batch", {"events": events}, key=key or issued["api_key"])


@pytest.fixture
def issued(ask):
    status, answer = ask("POST", "/instances", {"name": "laptop", "key_name": "first"})
    assert status == 201
    return answer


def test_an_instance_is_made_listed_and_reports(served, ask, issued):
    assert submit(served, issued)[0] == 202
    status, one = ask("GET", f"/instances/{issued['instance_id']}")
    assert (status, one["name"], one["keys"], one["local"]) == (200, "laptop", 1, False)
    assert one in ask("GET", "/instances")[1]
    (key,) = ask("GET", f"/instances/{issued['instance_id']}/keys")[1]
    assert key == issued["key"]
    assert (key["name"], key["works"], key["revoked"]) == ("first", True, None)
    assert issued["api_key"].endswith(key["hint"])


def test_two_keys_of_which_one_is_revoked_at_once(served, ask, issued):
    path = f"/instances/{issued['instance_id']}/keys"
    _, second = ask("POST", path, {"name": "ci", "expires_in_seconds": 3600})
    assert second["key"]["expires"]
    assert submit(served, issued, key=second["api_key"])[0] == 202
    assert ask("DELETE", f"{path}/{issued['key']['number']}") == (200, {"revoked": 1})
    assert submit(served, issued)[0] == 401
    assert submit(served, issued, key=second["api_key"])[0] == 202
    assert ask("DELETE", path) == (200, {"revoked": 1})
    assert submit(served, issued, key=second["api_key"])[0] == 401


def test_a_rotation_with_an_overlap(served, ask, issued):
    status, new = ask("POST", f"/instances/{issued['instance_id']}/rotate", {"overlap_seconds": 3600})
    assert status == 201
    assert submit(served, issued)[0] == submit(served, new)[0] == 202
    assert ask("POST", f"/instances/{issued['instance_id']}/rotate")[0] == 201
    assert submit(served, new)[0] == 401


def test_usage_and_erasure(served, ask, issued):
    event_id = str(uuid.uuid4())
    assert submit(served, issued, {}, {"event_id": event_id}, {"event_id": event_id}, {"retry_count": 999})[0] == 202
    usage = wait_for(lambda: ask("GET", f"/usage?instance_id={issued['instance_id']}")[1])
    assert [(row["accepted"], row["duplicate"], row["invalid"], row["name"]) for row in usage] == [(2, 1, 1, "laptop")]
    assert usage[0]["invalid_fields"] == {"retry_count": 1}
    assert ask("DELETE", f"/instances/{issued['instance_id']}/events") == (200, {"erased": 2})
    assert ask("DELETE", f"/instances/{issued['instance_id']}/events") == (200, {"erased": 0})


def wait_for(ask):
    import time

    end = time.monotonic() + 20
    while not (found := ask()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_every_act_is_in_the_audit_log_without_a_key(ask, issued):
    ask("DELETE", f"/instances/{issued['instance_id']}/keys")
    _, acts = ask("GET", "/audit?limit=2")
    assert [(act["action"], act["subject"]) for act in acts] == [("key.revoke", issued["instance_id"]), ("instance.create", issued["instance_id"])]
    assert acts[0]["actor"] == "api:127.0.0.1"
    assert acts[1]["detail"]["name"] == "laptop"
    _, older = ask("GET", f"/audit?limit=1000&before={acts[1]['number']}")
    assert all(act["number"] < acts[1]["number"] for act in older)
    assert issued["api_key"] not in json.dumps([acts, older])


@pytest.mark.parametrize("key", [None, "x", "0" * 64])
def test_nobody_learns_anything_without_the_admin_key(served, ask, issued, key):
    for method, path in [("GET", "/instances"), ("POST", "/instances"), ("GET", f"/instances/{issued['instance_id']}"), ("GET", "/audit"), ("GET", "/usage")]:
        status, answer = ask(method, path, key=key)
        assert (status, list(answer)) == (401, ["error"])
    status, answer = ask("GET", "/instances", key=issued["api_key"])
    assert (status, "API key" in answer["error"]) == (401, True)
    status, answer = submit(served, issued, key=served.admin_key)
    assert (status, "admin key" in answer["error"]) == (401, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/instances/not-a-uuid", None, 422),
        ("GET", f"/instances/{UNKNOWN}", None, 404),
        ("POST", f"/instances/{UNKNOWN}/keys", None, 404),
        ("DELETE", f"/instances/{UNKNOWN}/events", None, 404),
        ("POST", "/instances", {"nmae": "x"}, 422),
        ("POST", "/instances", {"name": 5}, 422),
        ("POST", "/instances", {"name": "x" * 201}, 422),
        ("POST", "/instances", {"name": "a\nb"}, 422),
        ("POST", "/instances", {"expires_in_seconds": -1}, 422),
        ("POST", "/instances", b"{", 400),
        ("POST", "/instances", b'{"name": "\xff"}', 400),
        ("POST", "/instances", b"[" * 10_000, 422),
        ("POST", "/instances", b" " * 20_000, 413),
        ("GET", "/usage?since=yesterday", None, 422),
        ("GET", "/usage?since=2026-02-07&until=2026-02-01", None, 422),
        ("GET", "/usage?until=0001-01-01", None, 200),
        ("GET", "/usage?since=0001-01-01&until=9999-12-31", None, 422),
        ("GET", "/audit?limit=0", None, 422),
        ("GET", "/audit?limit=1001", None, 422),
        ("GET", "/audit?before=%D9%A3", None, 422),
        ("GET", "/audit?before=99999999999999999999", None, 422),
        ("PUT", "/instances", None, 405),
        ("GET", "/nothing", None, 404),
    ],
)
def test_what_cannot_be_is_one_line(ask, method, path, body, status):
    found, answer = ask(method, path, body)
    assert found == status, answer
    if status != 200:
        assert list(answer) == ["error"]
        assert "\n" not in answer["error"]


def test_a_key_that_is_no_number_or_not_there(ask, issued):
    path = f"/instances/{issued['instance_id']}/keys"
    assert ask("DELETE", f"{path}/x")[0] == 422
    assert ask("DELETE", f"{path}/999999")[0] == 404
