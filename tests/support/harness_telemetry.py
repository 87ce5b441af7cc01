"""What a harness's own telemetry made on a server that takes it, beside what is collected of its log."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.harnesses import Harness, jobs_for, work
from support.model_api import ModelApi
from support.server import COMMAND, ServerProcess, create_instance
from support.waiting import wait_for

__all__ = ["compare_telemetry"]

_QUIET_S = 20
_SAME = ("harness", "model", "provider", "actual_input_tokens", "actual_output_tokens", "task_type", "complexity", "outcome")
_GATES = ("quality_gate_passed", "quality_gates_run", "quality_gates_failed")


def compare_telemetry(harness: Harness, program: Path) -> None:
    """Let the harness work and send its telemetry to a server meanwhile; fail where the events there differ from those of its log."""
    jobs = jobs_for(harness)
    database = harness.home / "received.db"
    access = create_instance(database)
    with (
        ModelApi(harness.dialect, [reply for job in jobs for reply in job.replies]) as api,
        ServerProcess(database, "--otlp", "--otlp-quiet", str(_QUIET_S)) as server,
    ):
        seen = work(harness, program, api, jobs, (server.url, access.api_key))
        wait_for(lambda: len(_events(database)) >= len(jobs), 3 * _QUIET_S, f"as many events as the {len(jobs)} jobs")
        received = _events(database)
    assert len(received) == len(jobs)
    same = [received.get(event["event_id"], {}) for event in seen.after[-1]]
    assert list(map(_said, same)) == list(map(_said, seen.after[-1]))
    cost = [event["actual_cost_usd_micros"] for event in seen.after[-1]]
    assert [event["actual_cost_usd_micros"] for event in same] == pytest.approx(cost, abs=3)  # Claude Code rounds that of each request


def _events(database: Path) -> dict[str, dict[str, Any]]:
    """By id, the events on the server."""
    done = subprocess.run([*COMMAND, "export", "--database", str(database)], capture_output=True, text=True, timeout=60, check=True)
    return {event["event_id"]: event for event in map(json.loads, done.stdout.splitlines())}


def _said(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event.get(name) for name in ("event_id", *_SAME, *_GATES)}
