"""`collect --audit`: each number of each task with the file, the records and the rule that it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.collected import several
from mosaic_telemetry.cli.collecting import Report, Target, converted_tasks
from mosaic_telemetry.cli.estimating import estimated
from mosaic_telemetry.collectors import Choice
from mosaic_telemetry.collectors.audit import audit_of, sessions_of

__all__ = ["audit_as_json", "show_audit"]

_SHOWN = 12  # records named in one line


def audit_as_json(report: Report, choice: Choice, target: Target) -> dict[str, Any]:
    """All that is known of a collection: sessions with their true totals, and tasks with every number's origin."""
    concerned = [task for task in report.scan.collection.tasks if choice.concerns(task)]
    converted, unfit = converted_tasks(concerned, target.instance_id, target.prices)
    converted = estimated(converted, target.database)
    tasks = [audit_of(task, one, target.prices) for task, one in converted]
    for (task, _), told in zip(converted, tasks, strict=True):
        told["left_out"] = not choice.takes(task)
    return report.as_json() | {
        "unfit": list(unfit),
        "sessions": sessions_of(report.scan.collection),
        "audit": tasks,
        "calls_outside": [
            {
                "file": str(call.file),
                "record": call.record,
                "id": call.id,
                "model": call.model,
                "input_tokens": call.usage.input,
                "output_tokens": call.usage.output,
            }
            for call in report.scan.collection.outside
        ],
    }


def show_audit(found: Mapping[str, Any], title: str) -> None:
    """Print an audit for a person."""
    click.echo(f"{title}: {several(found['files'], 'file')}, {several(len(found['audit']), 'finished task')} in {several(len(found['sessions']), 'session')}.")
    for task in found["audit"]:
        _show_task(task)
    for call in found["calls_outside"][:_SHOWN]:
        click.echo(f"Belonging to no task: {call['file']}, {call['record']}: {call['model']}, {call['input_tokens']:,} in, {call['output_tokens']:,} out")
    rest = len(found["calls_outside"]) - _SHOWN
    if rest > 0:
        click.echo(f"… and {several(rest, 'more model call')} belonging to no task (--json names them).")
    click.echo(f"\nLeft out: {several(found['unreliable_left_out'], 'task')} with unreliable token counts. Nothing was sent.")


def _show_task(task: Mapping[str, Any]) -> None:
    value = {name: number["value"] for name, number in task["numbers"].items()}
    ended = value["timestamp"][:19].replace("T", " ")
    kind = f"{value['task_type']}, {value['complexity']}, {value['model']} ({value['provider']}): {value['outcome']}"
    click.echo(f"\n{ended} UTC  {kind}{'  LEFT OUT' if task['left_out'] else ''}")
    click.echo(f"  event {task['event_id']}, session {task['session']}")
    for file in task["files"]:
        click.echo(f"  file {file}")
    _line("task", "", task["task"])
    for label, name in (("input", "actual_input_tokens"), ("output", "actual_output_tokens")):
        _line(label, f"{task['numbers'][name]['true_value']:,} tokens", task["numbers"][name])
    cost = task["numbers"]["actual_cost_usd_micros"]
    listed = f" by {cost['price_list']}" if cost["price_list"] else ""
    _line("cost", f"{figures.cost(cost['true_value'])}, {cost['source']}{listed}", {**cost, "records": []})
    _line("duration", figures.duration(task["numbers"]["task_duration_ms"]["true_value"]), task["numbers"]["task_duration_ms"])
    if value["context_compactions"]:
        _line("compactions", f"{value['context_compactions']}", task["numbers"]["context_compactions"])
    _line("context", figures.share(value["context_utilization_final"]), task["numbers"]["context_utilization_final"])
    for gate, seen in task["quality_gates"].items():
        _line(gate, "passed" if seen["passed"] else "failed", seen)
    for name, why in task["flags"].items():
        click.echo(f"  flag {name}: {why}")


def _line(label: str, value: str, evidence: Mapping[str, Any]) -> None:
    click.echo(f"  {label}: {value}{': ' if value else ''}{evidence['rule']}")
    several_files = len(evidence["records"]) > 1
    for where in evidence["records"]:
        named: Sequence[str] = where["records"]
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        click.echo(f"    {where['file'] + ': ' if several_files else ''}{', '.join(named[:_SHOWN])}{more}")
