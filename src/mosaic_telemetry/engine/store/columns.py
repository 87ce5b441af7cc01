"""The columns as every store keeps them: of an event (which fields stand as they are, and which are texts that repeat), of accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from mosaic_telemetry.schema import QualityGate

__all__ = ["GATES", "INSTANCE", "KEY", "PLAIN", "TEXTS", "plain_of", "set_of_gates", "texts_of"]

PLAIN = (
    "task_duration_ms",
    "estimated_input_tokens",
    "estimated_output_tokens",
    "actual_input_tokens",
    "actual_output_tokens",
    "estimated_cost_usd_micros",
    "actual_cost_usd_micros",
    "quality_gate_passed",
    "context_compactions",
    "context_rotations",
    "context_utilization_final",
    "retry_count",
)
"""Fields that are kept as they are."""

TEXTS = ("task_type", "complexity", "harness", "model", "provider", "outcome", "language", "repo_size_category")
"""Fields of which each text is kept once, and named by number."""

GATES = ("quality_gates_run", "quality_gates_failed")
"""Sets of gates, each kept as one text, likewise."""

INSTANCE = "instances.number, instances.instance_id, instances.name, instances.created_ms, instances.local"
"""What an `Instance` is read from, in its order."""

KEY = "api_keys.number, api_keys.instance, api_keys.name, api_keys.hint, api_keys.created_ms, api_keys.expires_ms, api_keys.revoked_ms"
"""What an `ApiKey` is read from, in its order."""

plain_of: Callable[[Any], tuple[Any, ...]] = attrgetter(*PLAIN)
"""The values of `PLAIN` of an event."""

_texts = attrgetter(*TEXTS)
_ORDER: dict[str, int] = {gate: place for place, gate in enumerate(QualityGate)}


def texts_of(event: Any) -> tuple[str | None, ...]:
    """The values of `TEXTS` and `GATES` of an event."""
    return (*_texts(event), set_of_gates(event.quality_gates_run), set_of_gates(event.quality_gates_failed))


def set_of_gates(gates: Sequence[str]) -> str:
    """A set of gates as one text, each gate once and in the enum's order: 64 different texts at most."""
    if len(gates) < 2:
        return gates[0] if gates else ""
    return _set_of(tuple(gates))


@lru_cache(1000)
def _set_of(gates: tuple[str, ...]) -> str:
    return ",".join(sorted(set(gates), key=_ORDER.__getitem__))
