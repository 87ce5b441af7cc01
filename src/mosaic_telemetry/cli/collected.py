"""What a collection found and what became of it, in words for a person."""

from __future__ import annotations

import sys

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.collecting import Report, Target

__all__ = ["several", "show"]

_SHOWN = 10
_WIDE = 110  # columns from which on all is shown
_MODEL = 12


def show(report: Report, target: Target, *, brief: bool = False) -> None:
    """Print it: what was found, what became of it, what is missing from it and why.

    Args:
        report: what to print.
        target: where the events went.
        brief: one line in place of two, and no table.
    """
    scan = report.scan
    read = "" if scan.read == scan.files else f" ({scan.read:,} read)"
    head = f"{scan.collector.title}: {several(scan.files, 'file')}{read}, {_tasks(report, target)}"
    delivery = report.delivery
    answered = delivery is not None and (delivery.accepted or delivery.known or delivery.rejected)
    told = f"{delivery.accepted:,} accepted, {delivery.known:,} already known, {sum(delivery.rejected.values()):,} rejected" if delivery is not None else ""
    click.echo(f"{head}: {told}." if brief and answered else f"{head}.")
    if target.sink is None and not brief:
        _table(report)
    elif delivery is not None and target.sink is not None:
        if answered and not brief:
            click.echo(f"Reported to {target.sink.name}: {told}.")
        for reason, count in delivery.rejected.items():
            click.echo(f"Rejected: {several(count, 'task')}: {reason}")
        if delivery.undelivered:
            click.echo(f"Not delivered: {several(delivery.undelivered, 'task')}: {delivery.error}. {_advice(delivery.error)}", err=True)
    for line in _remarks(report):
        click.echo(line)


def _tasks(report: Report, target: Target) -> str:
    count = len(report.events)
    if not count and target.state is not None and (report.before or not report.scan.collection.tasks):
        return "nothing new"
    found = report.as_json()
    new = "new" if report.before else "finished"
    return f"{several(count, f'{new} task')}, {figures.count(found['input_tokens'])} tokens in, {figures.count(found['output_tokens'])} out, {_cost(report)}"


def _advice(error: str) -> str:
    """What to do about a delivery that failed."""
    if error.startswith("HTTP 401"):
        return "Check --api-key."
    if error.startswith("HTTP 403"):
        return "Check that --instance-id is the one that the key belongs to."
    return "Collect again later: nothing is reported twice."


def _cost(report: Report) -> str:
    unknown = sum(report.unpriced.values())
    if unknown and unknown == len(report.events):
        return "cost unknown"
    return figures.cost(report.cost_micros) if not unknown else f"{figures.cost(report.cost_micros)} and {several(unknown, 'task')} of unknown cost"


def _remarks(report: Report) -> list[str]:
    collection = report.scan.collection
    told = [(f"No price is known for {model}", count) for model, count in sorted(report.unpriced.items())]
    lines = [f"{text} ({several(count, 'task')})." for text, count in told]
    if report.left_out:
        lines.append(f"Left out: {several(report.left_out, 'task')} with token counts that are wrong in the log (--include-unreliable reports them).")
    lines += [f"Left out, since no event can be made of it: {problem}." for problem in report.unfit]
    if collection.running:
        lines.append(f"Still running: {several(collection.running, 'task')}; collect again later.")
    if report.clamped:
        lines.append("Cut to the largest value that an event takes: " + ", ".join(f"{name} ({several(n, 'task')})" for name, n in report.clamped.items()) + ".")
    if collection.outside:
        lines.append(f"Belonging to no task: {several(len(collection.outside), 'model call')}, made without a prompt or in sessions that are not there.")
    if collection.skipped:
        lines.append(f"Skipped: {several(collection.skipped, 'line')} that could not be read (--verbose names them).")
    return lines


def _table(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    narrow = console.width < _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1 if narrow else 2, 0, 0))
    shown = report.events[-_SHOWN:]
    for heading in ("ended", "work", "size"):
        table.add_column(heading, no_wrap=True)
    table.add_column("model", no_wrap=True, overflow="ellipsis", max_width=_MODEL if narrow else None)  # the one column that gives way
    table.add_column("outcome", no_wrap=True)
    for heading in ("in", "out", "cost", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for task, converted in shown:
        event = converted.event
        cells: tuple[str, ...] = (
            event.timestamp[5:10] if narrow else event.timestamp[:16].replace("T", " "),
            event.task_type,
            event.complexity,
            event.model,
            event.outcome,
        )
        cells += (figures.count(task.usage.input), figures.count(task.usage.output), figures.cost(converted.price.micros), figures.duration(task.active_ms))
        table.add_row(*cells)
    count = len(report.events)
    if count:
        click.echo(f"\nWould be reported{f' (the newest {_SHOWN})' if count > _SHOWN else ''}, times in UTC:")
        console.print(table)
        click.echo("\nNothing was sent. --dry-run --json prints each event as it would leave.")


def several(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
