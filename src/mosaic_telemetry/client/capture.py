"""The hook behind `mosaic_telemetry.testing.capture_events`: while lists are here, events go to the newest and nowhere else."""

from __future__ import annotations

from mosaic_telemetry.schema import TaskCompletionEvent

__all__ = ["captured", "captures"]

captures: list[list[TaskCompletionEvent]] = []


def captured(event: TaskCompletionEvent) -> bool:
    """Whether a test captured the event."""
    if not captures:
        return False
    captures[-1].append(event)
    return True
