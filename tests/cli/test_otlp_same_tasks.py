"""Whoever collects a harness's log and takes its telemetry as well counts each task once: both tell the same events."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.recordings import collect_from
from support.transcripts import test_data

from mosaic_telemetry.cli.otlp import Receiver
from mosaic_telemetry.cli.otlp_store import FactStore
from mosaic_telemetry.collectors.events import event_id
from mosaic_telemetry.collectors.otlp import facts_in
from mosaic_telemetry.collectors.otlp_tasks import group_facts, tasks_of
from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import PredictionQuery, TaskCompletionEvent, from_dict

NOON_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z
PROMPT = "5c086d93-d67d-4640-a86c-2289db3e2f87"


def documents(path):
    """The JSON documents that stand one after the other in a file."""
    text, place = path.read_text(encoding="utf-8"), 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        found, place = json.JSONDecoder().raw_decode(text, place)
        yield found


def record(at_ms, **attributes):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue"}
    given = {name.replace("__", "."): item for name, item in attributes.items() if type(item) in kinds}
    return {"timeUnixNano": f"{at_ms}000000", "attributes": [{"key": key, "value": {kinds[type(item)]: item}} for key, item in given.items()]}


def tasks_in(*records):
    facts = list(facts_in({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}))
    sessions = sorted({fact.session for fact in facts})
    return [task for one in sessions for group in group_facts(fact for fact in facts if fact.session == one) for task in tasks_of(group, 0)]


def by_claude(event, at, prompt=PROMPT, **attributes):
    return record(NOON_MS + at, event__name=event, session__id="s-1", prompt__id=prompt, **attributes)


def request(at, number, **attributes):
    tokens = {"input_tokens": 10, "output_tokens": number, "cache_read_tokens": "1000", "cache_creation_tokens": 200}
    return by_claude("claude_code.api_request", at, model="claude-sonnet-4-5", request_id=f"r{number}", duration_ms=1000, **tokens, **attributes)


def asked(at, **attributes):
    return by_claude("claude_code.user_prompt", at, prompt_length=7, **attributes)


def said_by(event, at, number=1, **attributes):
    tokens = {"input_token_count": 100 * number, "output_token_count": 7, "cached_content_token_count": 40}
    name = {"event__name": f"gemini_cli.{event}", "session__id": "g-1", "prompt_id": "g-1"}
    return record(NOON_MS + at, **name, model="gemini-2.5-pro", duration_ms=10, **tokens, **attributes)


def told(harness):
    if harness == "claude-code":
        bodies = [part["body"] for part in documents(test_data("harness_runs", "claude-code-2.1.197", "otlp-http-json.jsonl")) if part["path"] == "/v1/logs"]
        return tasks_in(*(one for body in bodies for part in body["resourceLogs"] for scope in part["scopeLogs"] for one in scope["logRecords"]))
    records = (part["attributes"] for part in documents(test_data("harness_runs", "gemini-cli-0.61.0", "otel-telemetry.log")) if "attributes" in part)
    return tasks_in(*(record(0, **attributes) for attributes in records))


@pytest.mark.parametrize(("harness", "folder"), [("claude-code", "claude-code-2.1.197/projects"), ("gemini", "gemini-cli-0.61.0/tmp")])
def test_recorded_telemetry_makes_the_same_events_as_the_recorded_log(harness, folder):
    logged = {event_id(task): task for task in collect_from(harness, test_data("harness_runs", *folder.split("/"))).tasks}
    found = {event_id(task): task for task in told(harness)}
    assert len(logged) == 3
    assert found.keys() == logged.keys()
    for name, task in found.items():
        assert (task.usage, task.model, len(task.calls)) == (logged[name].usage, logged[name].model, len(logged[name].calls))
        assert abs(task.started_ms - logged[name].started_ms) < 1000


@settings(max_examples=50)
@given(prompt=st.uuids().map(str), began=st.integers(0, 4_000_000_000_000))
def test_an_id_in_both_keeps_its_time_to_half_a_day(prompt, began):
    (task,) = tasks_in(asked(0), request(1500, 1))
    one = replace(task, shared=prompt, started_ms=began)
    at_ms = int(event_id(one).replace("-", "")[:12], 16)
    assert abs(at_ms - began) <= 43_200_000 or at_ms == 0
    ids = {event_id(replace(one, started_ms=began + more * 1000)) for more in range(-1, 2)}
    assert len(ids) <= 2  # as a point halfway between two days lies between these times once in 43,200
    assert event_id(replace(one, identity="another", session="a copy")) in ids
    assert event_id(replace(one, shared=f"{prompt} ")) not in ids


def test_what_the_log_has_no_task_for_is_none_in_the_telemetry_either():
    compacting = request(9000, 3, query_source="compact")
    assert tasks_in(asked(8000, command_name="compact", command_source="builtin"), compacting) == []
    assert tasks_in(asked(8000, command_name="clear", command_source="builtin"), request(9000, 3, query_source="repl_main_thread")) == []
    for short in ({"command_name": "init", "command_source": "builtin"}, {"command_name": "mcp", "command_source": "mcp"}, {"command_name": "custom"}):
        assert len(tasks_in(asked(0, **short), request(1500, 1, query_source="repl_main_thread"))) == 1
    own, beneath = request(1500, 1, query_source="sdk"), request(3000, 2, query_source="agent:builtin:Explore")
    titled = [request(2000 + number, 10 + number, query_source=name) for number, name in enumerate(("generate_session_title", "agent_summary"))]
    (task,) = tasks_in(asked(0), own, beneath, *titled, compacting)
    assert [(call.usage.output, call.subagent) for call in task.calls] == [(1, False), (2, True)]


def test_gemini_tells_its_prompts_apart_where_their_id_is_that_of_the_session():
    first = [said_by("user_prompt", 0), said_by("api_response", 1000, 1, role="utility_router"), said_by("api_response", 2000, 2, role="main")]
    later = [said_by("user_prompt", 60_000), said_by("api_response", 61_000, 3, role="main"), said_by("api_response", 62_000, 4, role="subagent")]
    tasks = tasks_in(*first, *later)
    assert [[(call.usage.input, call.subagent) for call in task.calls] for task in tasks] == [[(200, False)], [(300, False), (400, True)]]
    assert len({event_id(task) for task in tasks}) == 2


def line(number, kind, **more):
    known = {"type": kind, "uuid": f"u{number}", "sessionId": "s-1", "timestamp": f"2026-03-01T12:00:{number:02}.000Z", "version": "2.1.197"}
    usage = {"input_tokens": 10, "output_tokens": number}
    said = {"id": f"m{number}", "model": "claude-sonnet-4-5", "usage": usage, "content": [], "stop_reason": "end_turn"}
    return {**known, "message": said if kind == "assistant" else {"content": f"Do {number}"}, **more}


def collected(folder, **files):
    for name, lines in files.items():
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    return collect_from("claude-code", folder).tasks


def test_prompts_of_an_old_session_do_not_take_the_id_of_the_one_it_is_continued_with(tmp_path):
    old = [line(1, "user"), line(2, "assistant"), line(3, "user"), line(4, "assistant")]
    before = {event_id(task) for task in collected(tmp_path, old=old)}
    assert len(before) == 2
    copied = [{**one, "promptId": "p-9", "sessionId": "s-2"} if one["type"] == "user" else one for one in old]
    newer = [*copied, {**line(5, "user"), "promptId": "p-9", "sessionId": "s-2"}, {**line(6, "assistant"), "sessionId": "s-2"}]
    (tmp_path / "old.jsonl").unlink()
    alone = collected(tmp_path, newer=newer)
    assert [task.shared for task in alone] == ["", "", "p-9"]
    together = collected(tmp_path, old=old)
    assert [event_id(task) for task in alone] == [event_id(task) for task in together]
    assert before < {event_id(task) for task in together}


def test_estimates_are_what_was_predicted_before_the_prompt(tmp_path):
    (task,) = tasks_in(asked(0), request(1500, 1))
    database = tmp_path / "telemetry.db"
    names = {"task_type": task.task_type, "model": task.model, "provider": task.provider, "complexity": task.complexity}
    with open_engine(database, now=lambda: NOON_MS / 1000 - 86_400) as engine:
        instance = engine.local_instance()
        counts = dict.fromkeys((name for name in TaskCompletionEvent.__dataclass_fields__ if name.startswith(("estimated_", "context_"))), 0)
        known = {**names, **counts, "instance_id": str(instance.instance_id), "timestamp": "2026-02-28T12:00:00Z", "task_duration_ms": 1}
        known |= {"harness": "claude_code", "quality_gate_passed": True, "quality_gates_run": [], "quality_gates_failed": [], "outcome": "success"}
        known |= {"retry_count": 0, "actual_cost_usd_micros": 500}
        made = [
            from_dict(
                TaskCompletionEvent, {**known, "event_id": f"{n:08}-0000-7000-8000-000000000000", "actual_input_tokens": 1000 * n, "actual_output_tokens": n}
            )
            for n in range(1, 8)
        ]
        assert engine.ingest(instance, made).accepted == 7
        engine.roll_up()
    later = NOON_MS / 1000 + 3600
    with open_engine(database, now=lambda: later) as engine:
        answer = engine.predict([from_dict(PredictionQuery, names)])[0].prediction
        receiver = Receiver(engine, FactStore(tmp_path / "facts"), now=lambda: later)
        receiver.take(instance, {"resourceLogs": [{"scopeLogs": [{"logRecords": [asked(0), request(1500, 1)]}]}]})
        later += 3600
        assert receiver.step() == 1
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT estimated_input_tokens, estimated_output_tokens FROM events WHERE actual_input_tokens = 1210").fetchall()
    assert rows == [(round(answer.input_tokens.median), round(answer.output_tokens.median))]
    assert rows[0][0] > 0


@pytest.mark.parametrize(("version", "times"), [("2.1.72", 1), ("1.0.128", 1), ("2.1.73", 0), ("2.1.197", 0), ("3.0.0", 0), ("2.1", 0), ("", 0)])
def test_it_is_told_once_where_the_log_does_not_name_prompts(tmp_path, caplog, version, times):
    about = {"attributes": [{"key": key, "value": {"stringValue": text}} for key, text in (("service.name", "claude-code"), ("service.version", version))]}
    body = {"resourceLogs": [{"resource": about, "scopeLogs": [{"logRecords": [asked(0), request(1500, 1)]}]}]}
    with open_engine(tmp_path / "telemetry.db") as engine:
        receiver = Receiver(engine, FactStore(tmp_path / "facts"))
        assert [receiver.take(engine.local_instance(), body) for _ in range(3)] == [2, 2, 2]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == times
    assert all(f"Claude Code {version} does not name prompts" in line for line in told)
