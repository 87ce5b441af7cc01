"""What Codex's subagents do belongs to the task of the agent that started them, though each has a session of its own."""

import json
from contextlib import closing

import apsw
import pytest

from mosaic_telemetry.cli.otlp import Receiver
from mosaic_telemetry.cli.otlp_store import FactStore
from mosaic_telemetry.engine import open_engine

NOON_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z


def record(at, event, session="", **attributes):
    given = {"event.name": f"codex.{event}", "model": "gpt-5", **({"conversation.id": session} if session else {}), **attributes}
    return {"timeUnixNano": f"{NOON_MS + at}000000", "attributes": [{"key": key, "value": {"stringValue": str(value)}} for key, value in given.items()]}


def answered(at, session, tokens):
    return record(at, "sse_event", session, **{"event.kind": "response.completed", "input_token_count": tokens, "output_token_count": 1})


def asked(at, session, text="Fix it"):
    return record(at, "user_prompt", session, prompt=text, prompt_length=len(text))


def started(at, session, agent, kind):
    """The two ways in which Codex says that an agent was started: in the result of the tool, and by a message from one to the other."""
    if kind == "tool":
        return record(at, "tool_result", session, tool_name="spawn_agent", call_id=f"call-{agent}", success="true", output=json.dumps({"agent_id": agent}))
    sent = {"state": "send", "kind": "spawn", "sender_thread_id": session, "receiver_thread_id": agent, "communication_id": f"message-{agent}"}
    return record(at, "agent_communication", **sent)


def told(at, session, agent):
    """A message by which an agent is given more to do."""
    message = {"state": "send", "kind": "followup", "sender_thread_id": session, "receiver_thread_id": agent, "communication_id": f"message-{at}"}
    return record(at, "agent_communication", **message)


@pytest.fixture
def received(tmp_path):
    """The input tokens of the events that some records come to, which are sent one by one in an order, around a restart."""

    def receive(records):
        now, database = NOON_MS / 1000, tmp_path / "telemetry.db"
        for part in (records[: len(records) // 2], records[len(records) // 2 :]):
            with open_engine(database, now=lambda: now) as engine:
                instance = engine.local_instance()
                receiver = Receiver(engine, FactStore(tmp_path / "facts"), now=lambda: now)
                for one in part:
                    receiver.take(instance, {"resourceLogs": [{"scopeLogs": [{"logRecords": [one]}]}]})
        now += 7200
        with open_engine(database, now=lambda: now) as engine:
            Receiver(engine, FactStore(tmp_path / "facts"), now=lambda: now).step()
        with closing(apsw.Connection(str(database))) as connection:
            return [row[0] for row in connection.execute("SELECT actual_input_tokens FROM events ORDER BY actual_input_tokens")]

    return receive


@pytest.mark.parametrize("kind", ["tool", "message"])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_tokens_of_subagents_and_of_theirs_are_the_tasks(received, kind, backwards):
    records = [
        asked(0, "top"),
        answered(1000, "top", 100),
        started(2000, "top", "below", kind),
        asked(2100, "below", "Count"),
        answered(3000, "below", 20),
        started(3500, "below", "deepest", kind),
        asked(3600, "deepest", "Count more"),
        answered(4000, "deepest", 3),
        answered(5000, "top", 1000),
        asked(9000, "top", "And now this"),
        answered(9500, "top", 7),
        asked(0, "another"),
        answered(1000, "another", 50_000),
    ]
    assert received(records[::-1] if backwards else records) == [7, 1123, 50_000]


def test_a_subagent_of_nobody_that_is_known_makes_no_task_of_its_own(received):
    by_name = record(1500, "tool_result", "below", tool_name="shell", call_id="call-1", success="true", agent_name="/root/count")
    assert received([asked(0, "top"), answered(1000, "top", 100), asked(1100, "below"), by_name, answered(2000, "below", 20)]) == [100]


@pytest.mark.parametrize("kind", ["tool", "message"])
def test_a_subagent_works_for_the_task_that_told_it_to_and_may_outlast_it(received, kind):
    more = asked(9200, "below", "Count again") if kind == "tool" else told(9200, "top", "below")
    records = [asked(0, "top"), answered(1000, "top", 100), started(2000, "top", "below", kind), asked(2100, "below"), answered(3000, "below", 20)]
    later = [asked(9000, "top"), answered(9100, "top", 7), answered(9150, "below", 3), more, answered(9300, "below", 50_000)]
    assert received([*records, *later]) == [123, 50_007]


@pytest.mark.parametrize("kind", ["tool", "message"])
def test_what_a_subagent_does_when_its_task_was_reported_is_no_task_of_its_own(tmp_path, kind):
    database, now = tmp_path / "telemetry.db", NOON_MS / 1000
    with open_engine(database, now=lambda: now) as engine:
        store = FactStore(tmp_path / "facts")
        receiver = Receiver(engine, store, now=lambda: now)
        beneath = [asked(2100, "below", "Look at /home/jane/vault.py"), answered(3000, "below", 20)]
        late = [asked(4_000_000, "below"), answered(4_001_000, "below", 50_000)]
        reported = []
        for records in ([asked(0, "top"), answered(1000, "top", 100), started(2000, "top", "below", kind), *beneath], late):
            receiver.take(engine.local_instance(), {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
            assert all("vault" not in fact.encode() for family in store.families() for fact, _ in store.facts(family).values())
            now += 3600
            reported.append(receiver.step())
            assert store.families() == []
    assert reported == [1, 0]
