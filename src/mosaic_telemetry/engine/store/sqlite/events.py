"""Events into their table."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from mosaic_telemetry.engine.store.sqlite.texts import Texts
from mosaic_telemetry.engine.store.values import EventRow, StoredEvent
from mosaic_telemetry.schema import QualityGate

__all__ = ["insert_events", "read_events"]

_COLUMNS = (
    "event_id",
    "instance",
    "received_ms",
    "timestamp_ms",
    "task_duration_ms",
    "task_type",
    "complexity",
    "harness",
    "model",
    "provider",
    "estimated_input_tokens",
    "estimated_output_tokens",
    "actual_input_tokens",
    "actual_output_tokens",
    "estimated_cost_usd_micros",
    "actual_cost_usd_micros",
    "quality_gate_passed",
    "quality_gates_run",
    "quality_gates_failed",
    "context_compactions",
    "context_rotations",
    "context_utilization_final",
    "outcome",
    "retry_count",
    "language",
    "repo_size_category",
    "standing",
)
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) ON CONFLICT (event_id) DO NOTHING"  # noqa: S608 - fixed names


def insert_events(connection: apsw.Connection, texts: Texts, instance: int, received_ms: int, events: Sequence[StoredEvent]) -> list[bool]:
    """Insert events; returns whether each was new. Of two with one id in `events`, the first is new."""
    number = texts.number
    new = []
    for event_id, timestamp_ms, event, standing in events:
        connection.execute(
            _INSERT,
            (
                event_id,
                instance,
                received_ms,
                timestamp_ms,
                event.task_duration_ms,
                number(connection, event.task_type),
                number(connection, event.complexity),
                number(connection, event.harness),
                number(connection, event.model),
                number(connection, event.provider),
                event.estimated_input_tokens,
                event.estimated_output_tokens,
                event.actual_input_tokens,
                event.actual_output_tokens,
                event.estimated_cost_usd_micros,
                event.actual_cost_usd_micros,
                event.quality_gate_passed,
                number(connection, _gates(event.quality_gates_run)),
                number(connection, _gates(event.quality_gates_failed)),
                event.context_compactions,
                event.context_rotations,
                event.context_utilization_final,
                number(connection, event.outcome),
                event.retry_count,
                None if event.language is None else number(connection, event.language),
                None if event.repo_size_category is None else number(connection, event.repo_size_category),
                standing,
            ),
        )
        new.append(connection.changes() == 1)
    return new


_READ = """
SELECT sequence, instance, received_ms, timestamp_ms, standing, task_type, model, provider, complexity, harness, outcome, quality_gate_passed,
       actual_input_tokens, actual_output_tokens, actual_cost_usd_micros, task_duration_ms, estimated_input_tokens, estimated_output_tokens
FROM events WHERE sequence > ?1 AND sequence <= ?2 AND (?4 IS NULL OR instance = ?4) ORDER BY sequence LIMIT ?3
"""


def read_events(connection: apsw.Connection, texts: Texts, where: tuple[int, int, int, int | None]) -> list[EventRow]:
    """The first events above one sequence and up to another, so many, of one instance if it is given."""
    text = texts.text
    return [EventRow(*row[:5], *[text(connection, number) for number in row[5:11]], *row[11:]) for row in connection.execute(_READ, where)]


_ORDER: dict[str, int] = {gate: place for place, gate in enumerate(QualityGate)}


def _gates(gates: Sequence[str]) -> str:
    """A set of gates as one text, each gate once and in the enum's order: 64 different texts at most."""
    if len(gates) < 2:
        return gates[0] if gates else ""
    return ",".join(sorted(set(gates), key=_ORDER.__getitem__))
