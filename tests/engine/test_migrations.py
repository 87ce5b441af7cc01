import hashlib
import threading
import uuid
from datetime import date

import apsw
import pytest

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.store.sqlite.migrations import APPLICATION_ID, STEPS, migrate

KEY = "a1" * 32
INSTANCE = uuid.uuid4()
EVENTS = 250
NOW_MS = 1_770_000_000_000
TEXTS = ("debugging", "high", "claude_code", "gpt-5", "openai", "success", "build,test", "")
COLUMNS = (
    "event_id, instance, received_ms, timestamp_ms, task_duration_ms, task_type, complexity, harness, model, provider, estimated_input_tokens, "
    "estimated_output_tokens, actual_input_tokens, actual_output_tokens, estimated_cost_usd_micros, actual_cost_usd_micros, quality_gate_passed, "
    "quality_gates_run, quality_gates_failed, context_compactions, context_rotations, context_utilization_final, outcome, retry_count"
)


@pytest.fixture
def first(tmp_path):
    """A database as the first version made it, with an instance, a key that works, one that was revoked, events, and cells of that time."""
    path = tmp_path / "telemetry.db"
    old = apsw.Connection(str(path))
    old.execute(STEPS[0])
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1; PRAGMA journal_mode = WAL")
    old.execute("INSERT INTO instances VALUES (1, ?, 'laptop', ?, 0)", (INSTANCE.bytes, NOW_MS))
    for key, revoked in ((KEY, None), ("b2" * 32, NOW_MS)):
        old.execute("INSERT INTO api_keys VALUES (?, 1, ?, ?)", (hashlib.sha256(key.encode()).digest(), NOW_MS, revoked))
    old.executemany("INSERT INTO texts VALUES (?, ?)", enumerate(TEXTS, 1))
    for number in range(EVENTS):
        values = (uuid.uuid4().bytes, 1, NOW_MS + number, NOW_MS, 60_000, 1, 2, 3, 4, 5, 900, 90, 1000 + number, 100, 5000, 6000, 1, 7, 8, 0, 0, 0.5, 6, 0)
        old.execute(f"INSERT INTO events ({COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)
    old.execute("INSERT INTO cells VALUES (1, 0, 'old', 10, 0, x'00'); INSERT INTO daily_cells VALUES (1, 20000, 10, x''); UPDATE watermark SET sequence = 10")
    old.close()
    return path


def test_the_first_versions_events_keys_and_counts_are_there_after_an_upgrade(first):
    before = apsw.Connection(str(first)).execute(f"SELECT {COLUMNS} FROM events ORDER BY sequence").fetchall()
    with open_engine(first, now=lambda: NOW_MS / 1000 + 3600) as engine:
        engine.roll_up()
        assert engine.verify() == []
        assert engine.sizes()["backlog"] == 0
        assert engine.sizes()["cells"] > 0
        assert engine.authenticate(KEY).instance_id == INSTANCE
        assert engine.authenticate("b2" * 32) is None
        assert sum(total.events for total in engine.sum_totals(date(2026, 1, 1), date(2026, 12, 31)).values()) == EVENTS
    after = apsw.Connection(str(first))
    assert after.pragma("user_version") == len(STEPS)
    assert after.execute(f"SELECT {COLUMNS} FROM events ORDER BY sequence").fetchall() == before


def test_whoever_comes_while_another_process_upgrades_waits_for_it(first):
    """Longer than a write waits for another, which here is not at all."""
    other = apsw.Connection(str(first))
    other.execute("BEGIN IMMEDIATE")
    late = apsw.Connection(str(first))
    late.set_busy_timeout(0)
    waiting = threading.Thread(target=migrate, args=(late, str(first)))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    for step in STEPS[1:]:
        other.execute(step)
    other.execute(f"PRAGMA user_version = {len(STEPS)}; COMMIT")
    waiting.join(30)
    assert not waiting.is_alive()
    assert not late.in_transaction
    assert late.pragma("user_version") == len(STEPS)
