"""Fields of a valid event."""

from typing import Any


def fields(**changes: Any) -> dict[str, Any]:
    """The fields that a builder takes, valid, with `changes`."""
    return {
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
        **changes,
    }
