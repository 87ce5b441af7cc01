"""The OpenTelemetry of harnesses, sent to a real server: tasks out of it, each request once, and nothing of a person kept."""

import gzip
import json
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.server import ServerProcess, create_instance
from support.transcripts import test_data
from support.waiting import wait_for

from mosaic_telemetry.collectors.otlp import Fact, facts_in
from mosaic_telemetry.collectors.otlp_tasks import group_facts, tasks_of

SECRETS = ("Fix the leak in vault", "jane@example.com", "acct-4711", "org-0815", "/home/jane", "vault.py", "user-hash-99")
ABOUT = {"user.email": "jane@example.com", "user.account_uuid": "acct-4711", "organization.id": "org-0815", "user.id": "user-hash-99", "session.id": "s-1"}


def value(item):
    kind = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}[type(item)]
    return {kind: str(item) if kind == "intValue" else item}


def record(event, at, **attributes):
    given = {"event.name": event, "event.timestamp": f"2026-03-01T09:00:{at:06.3f}Z", "prompt.id": "p-1", **ABOUT}
    given |= {name.replace("__", "."): item for name, item in attributes.items()}
    return {"timeUnixNano": "1", "body": value(f"claude_code.{event}"), "attributes": [{"key": name, "value": value(item)} for name, item in given.items()]}


def body_of(*records):
    return {
        "resourceLogs": [
            {"resource": {"attributes": [{"key": "user.email", "value": value("jane@example.com")}]}, "scopeLogs": [{"logRecords": list(records)}]}
        ]
    }


def claude_task():
    asked = record("claude_code.user_prompt", 1, prompt="Fix the leak in vault")
    tokens = {"input_tokens": "10", "output_tokens": 40, "cache_read_tokens": 1000, "cache_creation_tokens": 200, "cost_usd_micros": 8133}
    first = record("claude_code.api_request", 4, model="claude-sonnet-4-5", request_id="r1", duration_ms=2000, **tokens)
    arguments = json.dumps({"command": "cd /home/jane && pytest -q vault.py"})
    checked = record("claude_code.tool_result", 6, tool_name="Bash", tool_use_id="t1", success="true", duration_ms="1500", tool_input=arguments)
    last = record("claude_code.api_request", 9, model="claude-sonnet-4-5", request_id="r2", duration_ms=1000, **tokens)
    return [asked, first, checked, last]


def recorded(*parts):
    """The bodies of recorded requests, with their paths."""
    text = test_data("harness_runs", *parts).read_text(encoding="utf-8")
    decoder, place, found = json.JSONDecoder(), 0, []
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        request, place = decoder.raw_decode(text, place)
        found.append((request["path"], request["body"]))
    return found


@pytest.fixture
def receiver(tmp_path):
    database = tmp_path / "telemetry.db"
    access = create_instance(database)
    with ServerProcess(database, "--otlp", "--otlp-quiet", "1.5") as server:
        server.key = access.api_key
        yield server


def send(server, path, body, *, kind="application/json", key="", coding=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    data = gzip.compress(data) if coding == "gzip" else data
    headers = {"Content-Type": kind, "Authorization": f"Bearer {key or server.key}", **({"Content-Encoding": coding} if coding else {})}
    request = urllib.request.Request(server.url + path, data=data, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def rows(database):
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT count(*) FROM events").fetchone()[0]


def kept_in(folder):
    """All bytes that a running server has on the disk; SQLite may take a log of its own away meanwhile."""
    found = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            found.append(path.read_bytes())
    return b"".join(found)


def test_a_task_becomes_one_event_and_nothing_of_a_person_is_kept(receiver, tmp_path):
    records = claude_task()
    for part in ([records[0], records[1]], [records[1], records[2]], [records[3]], records):  # out of several requests, and repeated
        assert send(receiver, "/v1/logs", body_of(*part)) == (200, b"{}")
    kept = kept_in(tmp_path)
    wait_for(lambda: rows(receiver.database) == 1, 60, "the event")
    kept += kept_in(tmp_path)
    assert b"claude-sonnet-4-5" in kept
    assert not [secret for secret in SECRETS if secret.encode() in kept]

    def cost():
        _, answer = receiver.request("GET", "/v1/totals?since=2026-03-01&until=2026-03-01", key=receiver.key)
        return json.dumps(answer)

    wait_for(lambda: "16266" in cost(), 30, "the cost of both requests, 8,133 micro-dollars each")


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_protobuf_says_the_same(receiver, coding):
    pytest.importorskip("opentelemetry.proto")
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    message = ParseDict(body_of(*claude_task()), ExportLogsServiceRequest())
    kind = "application/x-protobuf"
    assert send(receiver, "/v1/logs", message.SerializeToString(), kind=kind, coding=coding) == (200, b"")
    wait_for(lambda: rows(receiver.database) == 1, 60, "the event")
    assert send(receiver, "/v1/logs", b"\xff\xff\xff", kind=kind)[0] == 400


def test_what_is_no_telemetry_or_from_nobody_is_refused_in_one_line(receiver):
    good = body_of(*claude_task())
    assert send(receiver, "/v1/logs", good, key="f" * 64)[0] == 401
    assert send(receiver, "/v1/metrics", {}, key="f" * 64)[0] == 401
    for path in ("/v1/logs", "/v1/metrics"):
        assert send(receiver, path, b"{")[0] == 400
        assert send(receiver, path, b"[]")[0] == 400
        assert send(receiver, path, good, kind="text/plain")[0] == 415
        assert send(receiver, path, b"\x00" * (17 << 20), coding="gzip")[0] == 413
        assert send(receiver, path, b"{}", coding="br")[0] == 415
        status, answer = send(receiver, path, {})
        assert (status, answer) == (200, b"{}")


def test_without_the_option_there_is_no_receiver(tmp_path):
    database = tmp_path / "telemetry.db"
    access = create_instance(database)
    with ServerProcess(database) as server:
        assert send(server, "/v1/logs", {}, key=access.api_key)[0] == 404


def test_what_came_before_a_kill_is_reported_after_the_restart(tmp_path):
    database = tmp_path / "telemetry.db"
    access = create_instance(database)
    with ServerProcess(database, "--otlp") as server:
        assert send(server, "/v1/logs", body_of(*claude_task()), key=access.api_key)[0] == 200
        server.kill()
    with ServerProcess(database, "--otlp", "--otlp-quiet", "0.5"):
        wait_for(lambda: rows(database) == 1, 60, "the event")


@pytest.mark.parametrize("folder", ["claude-code-2.1.197", "codex-0.169.0"])
def test_recorded_telemetry_has_the_tokens_that_the_api_returned(receiver, folder, tmp_path):
    requests = recorded(folder, "otlp-http-json.jsonl")
    facts: list[Fact] = []
    for path, body in requests:
        assert send(receiver, path, body)[0] == 200
        facts += facts_in(body) if path == "/v1/logs" else ()
    sessions = {fact.session for fact in facts}
    tasks = [task for session in sessions for group in group_facts(fact for fact in facts if fact.session == session) for task in tasks_of(group, 0)]
    expected = json.loads(test_data("harness_runs", folder, "expected.json").read_text(encoding="utf-8"))["sessions"]
    wanted = [
        (one["usage"]["input_tokens"] + one["usage"].get("cache_creation_input_tokens", 0) + one["usage"].get("cache_read_input_tokens", 0)) for one in expected
    ]
    output = [one["usage"]["output_tokens"] for one in expected]
    found = sorted((task.usage.input, task.usage.output) for task in tasks)
    assert found == sorted(zip(wanted, output, strict=True))[: len(found)]
    wait_for(lambda: rows(receiver.database) == len(tasks), 60, "the events")
    prompts = [one["prompt"].encode() for one in expected]
    kept = kept_in(tmp_path)
    assert not [prompt for prompt in prompts if prompt in kept]


def test_gemini_tasks_from_their_records():
    def said(event, at, **attributes):
        names = {"session__id": "g-1", "prompt_id": "g-1########0", "prompt__id": "", **attributes}
        return record(f"gemini_cli.{event}", at, **names)

    tokens = {"input_token_count": 6000, "output_token_count": 70, "cached_content_token_count": 4000, "thoughts_token_count": 25, "tool_token_count": 5}
    records = [
        said("user_prompt", 1, prompt="Add a parser"),
        said("api_response", 3, model="gemini-2.5-pro", duration_ms=900, **tokens),
        said(
            "tool_call",
            5,
            function_name="run_shell_command",
            duration_ms=100,
            success=True,
            function_args='{"command": "pytest -q"}',
            metadata='{"exitCode": 1}',
        ),
        said("api_error", 6, duration_ms=50),
    ]
    (task,) = [task for group in group_facts(facts_in(body_of(*records))) for task in tasks_of(group, 0)]
    assert (task.usage.uncached_input, task.usage.cache_read, task.usage.output) == (2005, 4000, 95)
    assert (task.provider, task.outcome, task.task_type, task.active_ms) == ("google", "failure", "implementation", 1050)


def test_prompts_of_codex_have_no_id_and_follow_in_time():
    tokens = {"event__kind": "response.completed", "input_token_count": "9000", "output_token_count": "80", "cached_token_count": "1000"}
    records = []
    for start in (1, 20):
        names = {"session__id": "", "prompt__id": "", "conversation__id": "c-1", "model": "gpt-5"}
        records.append(record("codex.user_prompt", start, prompt="Fix it", **names))
        records.append(record("codex.sse_event", start + 2, **names, event__kind="response.completed", duration_ms="10"))
        records.append(record("codex.sse_event", start + 2, **names, **tokens))
    tasks = [task for group in group_facts(facts_in(body_of(*records))) for task in tasks_of(group, 0)]
    assert [(task.usage.input, task.usage.cache_read, task.usage.output) for task in tasks] == [(9000, 1000, 80)] * 2
    assert len({task.identity for task in tasks}) == 2


anything = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5)
names = st.sampled_from(["event.name", "session.id", "event.timestamp", "input_tokens", "duration_ms", "tool_input", "tool_name", "model", "success", "prompt"])
texts = st.sampled_from(["claude_code.api_request", "claude_code.tool_result", "claude_code.user_prompt", "s", "2026-03-01T09:00:00Z", "{", '{"command": 1}'])
fields = st.fixed_dictionaries({}, optional=dict.fromkeys(("stringValue", "intValue", "doubleValue", "boolValue"), texts | anything))
attributes = st.lists(st.fixed_dictionaries({"key": names | anything, "value": fields | anything}) | anything, max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fixed_dictionaries({"attributes": attributes, "timeUnixNano": anything, "body": fields}) | anything, max_size=3))
def test_whatever_is_sent_nothing_raises_and_no_number_is_absurd(records):
    facts = list(facts_in(body_of(record("claude_code.api_error", 1), *records)))
    assert facts
    for fact in facts:
        assert Fact.decode(fact.encode()) == fact
        assert min(fact.uncached, fact.cache_read, fact.output, fact.micros, fact.took_ms) >= 0
