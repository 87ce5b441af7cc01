"""Random damage to session files of every harness: nothing raises, no number is absurd, and what stands beside stays as it was.

Without recordings of other people the files that ship with the demo are damaged; `make soak` does it 2,000 times.
"""

import gzip
import json
import os
import random
from pathlib import Path

import pytest
from support.damage import mutated
from support.recordings import DEMO_DATA, NOW, collector_named
from support.transcripts import INSTANCE, Heard

from mosaic_telemetry.collectors import to_event
from mosaic_telemetry.collectors.audit import audit_of, sessions_of
from mosaic_telemetry.collectors.reading import Counting
from mosaic_telemetry.schema import MAX_COST_MICROS, MAX_DURATION_MS, MAX_TOKENS, encode_event

ROUNDS = 2000 if os.environ.get("MOSAIC_TELEMETRY_SOAK") else 90
NAMES = ("claude-code", "codex", "gemini", "pi", "aider", "cline", "opencode", "kilo")
LARGEST = 400_000  # bytes of a file: what is wrong with a large one is wrong with a small one
SHIPPED = {"kilo": ["kilo-cli-7.8.1", "cline-2.18.0-classic"], "cline": ["cline-2.18.0-classic", "cline-cli-3.0.65"]}
REAL = {"claude-code": "claude_code", "pi": "pi", "gemini": "gemini_cli", "aider": "aider"}


def sources(name):
    """The files of a harness to damage: those that ship, and real ones where they are there."""
    folders = [DEMO_DATA / folder for folder in SHIPPED.get(name, [])] or [path for path in DEMO_DATA.iterdir() if path.name.startswith(name)]
    root = os.environ.get("MOSAIC_TELEMETRY_TEST_DATA")
    if root and name in REAL:
        folders.append(Path(root) / REAL[name])
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder.parent)
            if path.is_file() and path.name not in {"truth.jsonl", "expected.json"} and path.stat().st_size <= LARGEST:
                data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
                if len(data) <= LARGEST:
                    yield inside.with_suffix("") if path.suffix == ".gz" else inside, data


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """By harness, its files in a folder of their own, as units with the ids in each."""
    found = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        for path, data in sources(name):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        collector = collector_named(name)
        units = [unit for place in sorted(folder.iterdir()) for unit in collector.units(collector.find(place))]
        found[name] = [(unit, {text for part in collector.read(unit, Counting(Heard())) for text in part.links()}) for unit in units]
    return found


def events_of(collector, files):
    """The events of files, each checked for absurd numbers, with its audit."""
    collection = collector.collect(files, now_ms=NOW, watcher=Heard())
    json.dumps(sessions_of(collection))
    found = set()
    for task in collection.tasks:
        converted = to_event(task, INSTANCE)
        event = converted.event
        json.dumps(audit_of(task, converted))
        assert 0 <= event.actual_input_tokens <= MAX_TOKENS
        assert 0 <= event.actual_output_tokens <= MAX_TOKENS
        assert 0 <= event.actual_cost_usd_micros <= MAX_COST_MICROS
        assert 0 <= event.task_duration_ms <= MAX_DURATION_MS
        assert 0.0 <= event.context_utilization_final <= 1.0
        assert min(task.usage.uncached_input, task.usage.cache_read, task.usage.cache_write, task.usage.output) >= 0
        assert "2019" < event.timestamp < "2101"
        found.add(encode_event(event))
    return found


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_damage_stays_where_it_is(trees, name):
    rng = random.Random(name)
    collector = collector_named(name)
    units = trees[name]
    for _ in range(max(1, ROUNDS // len(NAMES) + 1)):
        victim, links = rng.choice(units)
        beside = [unit for unit, others in units if unit != victim and links.isdisjoint(others)]
        other = rng.choice(beside) if beside else ()
        apart = events_of(collector, other)
        path = rng.choice(victim)
        original = path.read_bytes()
        try:
            path.write_bytes(mutated(original, rng))
            assert apart <= events_of(collector, [*victim, *other])
        finally:
            path.write_bytes(original)
