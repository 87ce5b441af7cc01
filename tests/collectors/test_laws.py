"""What holds for every harness: the same logs give the same events, and damage stays where it is."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from support.damage import mutated
from support.recordings import AIDER, CODEX_NEW, CODEX_OLD, DEMO_DATA, GEMINI_NEW, GEMINI_OLD, NOW, PI, collect_from, collector_named, encoded
from support.transcripts import INSTANCE, Heard

from mosaic_telemetry.collectors import to_event
from mosaic_telemetry.schema import MAX_COST_MICROS, TaskCompletionEvent

ALL = [CODEX_NEW, CODEX_OLD, GEMINI_NEW, GEMINI_OLD, PI, AIDER]
MUTATIONS = 250


@pytest.fixture(params=ALL, ids=str)
def recording(request):
    return request.param


@pytest.fixture
def tree(recording, tmp_path):
    target = tmp_path / recording.folder
    shutil.copytree(DEMO_DATA / recording.folder, target)
    for name in ("truth.jsonl", "expected.json"):
        (target / name).unlink(missing_ok=True)
    return target


def test_collecting_again_and_in_any_order_gives_the_same_bytes(recording, tree):
    collector = collector_named(recording.collector)
    files = list(collector.find(tree))
    expected = encoded(collect_from(recording.collector, tree))
    assert len(set(expected)) == 3
    for seed in range(5):
        random.Random(seed).shuffle(files)
        assert encoded(collector.collect(files, now_ms=NOW, watcher=Heard())) == expected


def test_copies_and_earlier_states_report_nothing_twice(recording, tree, tmp_path):
    expected = encoded(collect_from(recording.collector, tree))
    shutil.copytree(tree, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.jsonl"):
        if "analytics" not in path.name:  # an earlier state of aider's has no end, which is told apart elsewhere
            lines = path.read_bytes().splitlines(keepends=True)
            path.with_name(f"{path.stem}-earlier.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]))
    assert encoded(collect_from(recording.collector, tree, tmp_path / "copy")) == expected
    assert encoded(collect_from(recording.collector, tmp_path / "copy", tree)) == expected


def test_a_file_that_grows_never_changes_what_was_reported(recording, tree):
    path = max(tree.rglob("*.json*"), key=lambda one: one.stat().st_size)
    whole = path.read_bytes()
    ids: set[str] = set()
    for end in [*range(0, len(whole), max(1, len(whole) // 23)), len(whole)]:
        path.write_bytes(whole[:end])
        now = {json.loads(event)["event_id"] for event in encoded(collect_from(recording.collector, tree, now_ms=NOW if end == len(whole) else 0))}
        assert ids <= now or path.suffix == ".json"  # one document is read when it is whole
        ids = now
    assert len(ids) == 3


def test_nothing_but_the_fields_of_the_contract_leaves(recording, tree):
    for data in encoded(collect_from(recording.collector, tree)):
        event = json.loads(data)
        assert set(event) == set(TaskCompletionEvent.__dataclass_fields__)
        texts = " ".join(value for value in event.values() if isinstance(value, str))
        assert not [word for word in ("calc", "pytest", "Fix", "/home", "user", "proj", "sed") if word in texts]


def test_damage_never_raises_never_gives_an_absurd_number_and_leaves_the_rest_alone(recording, tree):
    rng = random.Random(recording.folder)
    whole = encoded(collect_from(recording.collector, tree))
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    victim = files[0]
    beside = [file for file in files if file.parent != victim.parent] if recording is AIDER else files[1:]
    alone = encoded(collect_from(recording.collector, *beside))
    assert len(alone) == 2
    assert set(alone) <= set(whole)
    original = victim.read_bytes()
    for _ in range(MUTATIONS):
        victim.write_bytes(mutated(original, rng))
        collection = collect_from(recording.collector, tree)
        assert set(alone) <= set(encoded(collection))
        for task in collection.tasks:
            event = to_event(task, INSTANCE).event
            assert 0 <= task.active_ms <= max(0, task.ended_ms - task.started_ms) + 600_000
            assert 0 <= event.actual_cost_usd_micros <= MAX_COST_MICROS
            assert min(task.usage.uncached_input, task.usage.cache_read, task.usage.cache_write, task.usage.output) >= 0


def test_a_document_that_is_no_json_and_a_folder_in_place_of_a_file_are_skipped(recording, tree):
    expected = encoded(collect_from(recording.collector, tree))
    sample = next(path for path in collector_named(recording.collector).find(tree))
    for name, content in (("a", b"\x00\xff\x00"), ("b", b"[1,2"), ("c", b"[]\n"), ("d", b"")):
        (sample.parent / f"{sample.name.split('.')[0]}{name}{''.join(Path(sample.name).suffixes) or '.jsonl'}").write_bytes(content)
    os.mkfifo(sample.parent / f"session-rollout-analytics{sample.suffix}")
    assert encoded(collect_from(recording.collector, tree)) == expected


def test_the_usual_places_are_under_the_home_folder(recording, tmp_path):
    collector = collector_named(recording.collector)
    places = collector.places({}, tmp_path)
    assert any(place.is_relative_to(tmp_path) for place in places)
    assert [file for place in places if place.is_relative_to(tmp_path) for file in collector.find(place)] == []


def paths_in(value, path=()):
    """Every field in a JSON value, of a list those in its first elements."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else []
    for key, inner in items:
        yield (*path, key)
        yield from paths_in(inner, (*path, key))


def bent(value, path, odd):
    """The value with `odd` in one place."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return copy


@pytest.mark.parametrize("odd", [{}, ["x"], "\ud800", -1], ids=["object", "list", "surrogate", "negative"])
def test_any_field_may_hold_any_type(recording, tree, odd):
    victim = min((path for path in tree.rglob("*.json*")), key=lambda path: path.stat().st_size)
    lines = [victim.read_text()] if victim.suffix == ".json" else victim.read_text().splitlines()
    seen = set()
    for number, line in enumerate(lines):
        record = json.loads(line)
        for path in paths_in(record):
            kind = (record.get("type"), str(record.get("payload", {}).get("type")), tuple(str(key) for key in path))
            if kind in seen:
                continue
            seen.add(kind)
            changed = [*lines[:number], json.dumps(bent(record, path, odd)), *lines[number + 1 :]]
            victim.write_text("\n".join(changed) + "\n")
            encoded(collect_from(recording.collector, victim))
    assert len(seen) > 10
