"""Examples for the OpenAPI document; a test holds them against the schema."""

from __future__ import annotations

from typing import Any

__all__ = ["EXAMPLES"]

_QUERY = {"task_type": "implementation", "model": "claude-sonnet-4-5", "provider": "anthropic", "complexity": "medium"}
_EVENT = {
    "instance_id": "6f1c2f0e-54a1-4d0a-9a3b-0d3c5a1f7e21",
    "event_id": "019c37a5-2d80-7c3e-8f6a-2b9d4e5f6071",
    "schema_version": "1.0",
    "timestamp": "2026-02-07T10:00:00.000Z",
    "task_duration_ms": 182_000,
    "task_type": "implementation",
    "complexity": "medium",
    "harness": "claude_code",
    "model": "claude-sonnet-4-5",
    "provider": "anthropic",
    "estimated_input_tokens": 105_000,
    "estimated_output_tokens": 45_000,
    "actual_input_tokens": 112_340,
    "actual_output_tokens": 38_210,
    "estimated_cost_usd_micros": 630_000,
    "actual_cost_usd_micros": 911_000,
    "quality_gate_passed": True,
    "quality_gates_run": ["build", "lint", "test"],
    "quality_gates_failed": [],
    "context_compactions": 1,
    "context_rotations": 0,
    "context_utilization_final": 0.62,
    "outcome": "success",
    "retry_count": 0,
    "language": "python",
    "repo_size_category": "medium",
}

EXAMPLES: dict[str, Any] = {
    "BatchEventRequest": {"events": [_EVENT]},
    "BatchEventResponse": {
        "accepted": 1,
        "rejected": 1,
        "results": [
            {"event_id": _EVENT["event_id"], "status": "accepted", "error": None},
            {"event_id": "", "status": "rejected", "error": "event_id: missing (want a UUID such as 0190b2c4-7d3f-7a51-9c2e-3f5a6b7c8d9e)"},
        ],
    },
    "BatchPredictionRequest": {"queries": [_QUERY]},
    "PredictionQuery": _QUERY,
    "TaskCompletionEvent": _EVENT,
}
