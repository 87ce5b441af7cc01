"""The same logs give the same events: however often, in whatever order, in however many copies; and damage stays where it is."""

import json
import random
import shutil
from pathlib import Path

import pytest
from support.damage import check_sane, mutated
from support.transcripts import CLAUDE_CODE, INSTANCE, LATER, RECORDINGS, START, Heard, Transcript, collect, events_of, test_data, tool

from mosaic_telemetry.collectors import to_event
from mosaic_telemetry.collectors.claude_code.assembling import assemble
from mosaic_telemetry.collectors.claude_code.parsing import SessionFile
from mosaic_telemetry.schema import TaskCompletionEvent, encode_event, from_dict


def rich(seed):
    """A session with all that sessions have: tools, gates, a subagent's progress, a compaction, errors and interruptions."""
    log = Transcript(seed=seed)
    log.prompt(0, "Fix the failing tests")
    log.bash(1, "pytest -q && ruff check .", "1 failed in 0.1s", failed=True)
    log.answer(5, f"e{seed}", tools=[tool("Edit", f"use{seed}", file_path="a.py")])
    log.result(6, f"use{seed}")
    log.bash(8, "pytest -q", "3 passed in 0.1s")
    log.add("progress", 9, data={"type": "agent_progress", "agentId": "aa", "message": Transcript(seed=seed + 50).answer(9, f"s{seed}")})
    log.add("system", 10, subtype="compact_boundary", compactMetadata={"trigger": "auto"})
    log.answer(12, f"f{seed}")
    log.add("system", 12, subtype="turn_duration", durationMs=11_000)
    log.prompt(100, "Write the docs")
    log.answer(102, f"g{seed}", tools=[tool("Write", f"w{seed}", file_path="README.md")])
    log.result(103, f"w{seed}", result={"type": "create"})
    log.prompt(104, "[Request interrupted by user]")
    log.prompt(200, "Go on")
    log.answer(204, f"h{seed}")
    return log


@pytest.fixture
def tree(tmp_path):
    """Recorded and written sessions under one configuration folder."""
    projects = tmp_path / "claude" / "projects"
    shutil.copytree(RECORDINGS / "projects", projects)
    for seed in (11, 12, 13):
        log = rich(seed)
        log.write(projects / "-w" / f"{log.session}.jsonl{'.gz' if seed == 12 else ''}")
    return tmp_path / "claude"


def encoded(collection):
    return [json.dumps(event, sort_keys=True) for event in events_of(collection)]


def test_collecting_twice_gives_the_same_bytes(tree):
    once = [encode_event(to_event(task, INSTANCE).event) for task in collect(tree).tasks]
    assert once == [encode_event(to_event(task, INSTANCE).event) for task in collect(tree).tasks]
    assert len(once) == len(set(once)) == 3 + 3 * 3


def test_the_order_of_files_makes_no_difference(tree):
    files = list(CLAUDE_CODE.find(tree))
    expected = encoded(collect(tree))
    for seed in range(5):
        random.Random(seed).shuffle(files)
        assert encoded(CLAUDE_CODE.collect(files, now_ms=LATER, watcher=Heard())) == expected


def test_copies_under_other_names_report_nothing_twice(tree):
    expected = encoded(collect(tree))
    for path in list(CLAUDE_CODE.find(tree)):
        for copy in ("-another-machine", "0-before"):
            target = tree / "projects" / copy / path.name
            target.parent.mkdir(exist_ok=True)
            shutil.copy(path, target)
    assert encoded(collect(tree)) == expected


def forked(log: Transcript, session: str, upto: int, seed: int = 99) -> Transcript:
    """A session that begins with a copy of another's history under its own id, as resuming and forking write it."""
    fork = Transcript(session=session, seed=seed)
    fork.records = [{**record, "sessionId": session} for record in log.records[:upto]]
    return fork


@pytest.mark.parametrize("upto", [1, 2, 5, 8, 14, 18])
def test_a_fork_adds_only_its_own_tasks(tmp_path, upto):
    log = rich(11)
    log.write(tmp_path / "p" / f"{log.session}.jsonl")
    alone = events_of(collect(tmp_path))
    for seed, session in ((91, "00000000-fork"), (92, "ffffffff-fork")):
        fork = forked(log, session, upto, seed)
        fork.prompt(900, "Another way")
        fork.answer(905, f"own-{session}")
        fork.write(tmp_path / "p" / f"{session}.jsonl")
    both = events_of(collect(tmp_path))
    assert [event for event in both if event["timestamp"] < "2026-03-01T09:10"] == alone
    assert len(both) == len(alone) + 2


def test_a_fork_whose_original_is_gone_keeps_the_ids(tmp_path):
    log = rich(11)
    path = log.write(tmp_path / "p" / f"{log.session}.jsonl")
    before = [event["event_id"] for event in events_of(collect(tmp_path))]
    forked(log, "fork", len(log.records)).write(tmp_path / "p" / "fork.jsonl")
    path.unlink()
    assert [event["event_id"] for event in events_of(collect(tmp_path))] == before


def test_an_earlier_state_of_a_session_beside_the_later_one_changes_nothing(tmp_path):
    log = rich(11)
    log.write(tmp_path / "p" / f"{log.session}.jsonl")
    expected = encoded(collect(tmp_path))
    for upto in (3, 7, 12):
        earlier = Transcript(session=log.session)
        earlier.records = log.records[:upto]
        earlier.write(tmp_path / "p" / f"2026-{upto}-{log.session}.jsonl.gz")
    assert encoded(collect(tmp_path)) == expected


def test_a_file_that_grows_is_read_as_far_as_it_goes(tmp_path):
    log = rich(11)
    whole = "".join(line + "\n" for line in log.lines).encode()
    path = tmp_path / f"{log.session}.jsonl"
    finished: set[str] = set()
    for end in range(0, len(whole), 997):
        path.write_bytes(whole[:end])
        now = {event["event_id"] for event in events_of(collect(path, now_ms=START + 300_000))}
        assert finished <= now  # what was reported stays what it was
        finished = now
    path.write_bytes(whole)
    assert len(encoded(collect(path))) == 3


def test_nothing_but_the_fields_of_the_contract_leaves(tree):
    secrets = ("someone", "secret", "/home", "calc", "a.py", "README", "pytest", "Fix", "docs", "user", "workspace", "proj")
    fields = set(TaskCompletionEvent.__dataclass_fields__)
    for task in collect(tree).tasks:
        data = encode_event(to_event(task, INSTANCE).event)
        event = json.loads(data)
        assert set(event) == fields
        assert from_dict(TaskCompletionEvent, event) == to_event(task, INSTANCE).event
        texts = " ".join(value for value in event.values() if isinstance(value, str))
        assert not [secret for secret in secrets if secret in texts]


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(120))
def test_damage_never_raises_and_stays_where_it_is(tmp_path, seed):
    rng = random.Random(seed)
    victim, healthy = rich(21), rich(22)
    source = victim.write(tmp_path / "p" / f"{victim.session}.jsonl")
    if seed % 3 == 0:
        source.write_bytes(next((RECORDINGS / "projects").rglob("*.jsonl")).read_bytes())
    healthy.write(tmp_path / "q" / f"{healthy.session}.jsonl")
    alone = encoded(collect(tmp_path / "q"))
    source.write_bytes(mutated(source.read_bytes(), rng))
    collection = collect(tmp_path)
    check_sane(collection)
    assert set(alone) <= set(encoded(collection))


def fields_of(value, path=()):
    """The path of each field at any depth."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from fields_of(inner, (*path, key))


def test_every_field_may_hold_anything():
    log = rich(31)
    for index, record in enumerate(log.records):
        for *above, last in fields_of(record):
            for odd in (None, True, 10**30, float("nan"), "\ud800", [1, [2]], {"a": {}}):
                records = list(log.records)
                records[index] = inner = json.loads(json.dumps(record))
                for key in above:
                    inner = inner[key]
                inner[last] = odd
                session = SessionFile(Path("s.jsonl"))
                for line, fed in enumerate(records, 1):
                    session.feed(fed, line)
                check_sane(assemble(session.drafts, now_ms=LATER, files=1, skipped=0))


def test_real_sessions_stand_damage(tmp_path):
    root = test_data("claude_code", "claude-code-log")
    files = [path for path in CLAUDE_CODE.find(root) if path.suffix == ".jsonl" and 2_000 < path.stat().st_size < 200_000]
    files += list(test_data("harness_runs", "claude-code-2.1.197", "projects").rglob("*.jsonl"))
    for seed in range(60):
        rng = random.Random(seed)
        target = tmp_path / "s.jsonl"
        target.write_bytes(mutated(rng.choice(files).read_bytes(), rng))
        check_sane(collect(target))
