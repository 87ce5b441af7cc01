"""The event that every client reports: the 26 fields of a task, with a mark by which the sink knows it again.

This module imports nothing of ours, so that a worker that measures a peer loads only that peer.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

FIELDS: dict[str, Any] = {
    "task_duration_ms": 61_500,
    "task_type": "implementation",
    "complexity": "medium",
    "harness": "claude_code",
    "model": "claude-sonnet-4-5",
    "provider": "anthropic",
    "estimated_input_tokens": 100_000,
    "estimated_output_tokens": 4_000,
    "actual_input_tokens": 120_000,
    "actual_output_tokens": 5_000,
    "estimated_cost_usd_micros": 300_000,
    "actual_cost_usd_micros": 412_000,
    "quality_gate_passed": True,
    "quality_gates_run": ["build", "test"],
    "quality_gates_failed": [],
    "context_compactions": 0,
    "context_rotations": 0,
    "context_utilization_final": 0.25,
    "outcome": "success",
    "retry_count": 0,
    "language": "python",
    "repo_size_category": "small",
}
INSTANCE_ID = "00000000-0000-4000-8000-000000000000"
API_KEY = "0" * 64


def marked(number: int) -> str:
    """The model's name with a mark; the mark reads the same in JSON, in escaped JSON and in a protocol buffer."""
    return f"claude-sonnet-4-5 #{number:08d}#"


def fields(number: int) -> dict[str, Any]:
    """The 22 fields that a caller knows of task `number`."""
    return {**FIELDS, "model": marked(number)}


def properties(number: int) -> dict[str, Any]:
    """All 26 fields of the event, for clients that take any properties and add none of these."""
    return {
        "instance_id": INSTANCE_ID,
        "event_id": str(uuid4()),
        "schema_version": "1.0",
        "timestamp": "2026-02-07T10:00:00.000Z",
        **fields(number),
    }
