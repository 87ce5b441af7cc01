"""`mosaic-telemetry collect`: turn a harness's own logs into events, and report them."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mosaic_telemetry.cli import numbers
from mosaic_telemetry.cli.common import database_option, json_option, print_json, server_options
from mosaic_telemetry.cli.progress import ProgressWatcher
from mosaic_telemetry.client import TelemetryConfig
from mosaic_telemetry.collectors import COLLECTORS, Collection, Collector, Converted, Delivery, ServerSink, Sink, Task, to_event
from mosaic_telemetry.schema import ValidationError, encode_event

__all__ = ["command"]

_NOBODY = "00000000-0000-0000-0000-000000000000"
_SHOWN = 10


@click.group()
def command() -> None:
    """Turn a harness's own logs into events and report them.

    Only numbers and categories leave this machine: no prompt, no answer, no code, no path. `--dry-run --json` shows exactly what would.
    """


def _command_for(collector: Collector) -> click.Command:
    @click.command(collector.name, short_help=f"Sessions of {collector.title}.")
    @click.argument("path", required=False, type=click.Path(path_type=Path))
    @server_options
    @database_option
    @click.option("--dry-run", is_flag=True, help="Send nothing: show what would be sent.")
    @click.option("--include-unreliable", is_flag=True, help="Report also tasks whose token counts are known to be wrong in the log.")
    @click.option("--verbose", "-v", is_flag=True, help="Name each line that was skipped, and why.")
    @json_option
    def collect(path: Path | None, server: str | None, api_key: str | None, instance_id: str | None, database: Path, **switches: bool) -> None:
        sink: Sink | None = None
        if not switches["dry_run"] and (server or api_key or instance_id):
            sink = _server(server, api_key, instance_id)
        elif not switches["dry_run"]:
            sink, instance_id = _local(database)
        _run(collector, path, sink, instance_id or _NOBODY, _Switches(**switches))

    collect.help = f"""Report the finished tasks in sessions of {collector.title}, each only once.

    With --server they go there, without one into the database on this machine. PATH is the harness's folder, one of its folders
    of sessions, or one session file; without it, the usual places are searched.

    \b
    Examples:
      mosaic-telemetry collect {collector.name} --dry-run
      mosaic-telemetry collect {collector.name}
      mosaic-telemetry collect {collector.name} --server http://localhost:8000 --api-key KEY --instance-id UUID
    """
    return collect


for _collector in COLLECTORS:
    command.add_command(_command_for(_collector))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Switches:
    dry_run: bool
    include_unreliable: bool
    verbose: bool
    as_json: bool


@dataclass(slots=True)
class _Report:
    """What a run found and what became of it."""

    collector: Collector
    collection: Collection
    reported: Sequence[Task]
    events: Sequence[Converted]
    unfit: Sequence[str]
    delivery: Delivery | None = None

    @property
    def left_out(self) -> int:
        """Tasks that are not reported since their token counts are wrong."""
        return len(self.collection.tasks) - len(self.reported)

    @property
    def clamped(self) -> dict[str, int]:
        """Field to number of events in which its value was cut to the contract's bound."""
        return dict(Counter(name for converted in self.events for name in converted.clamped))

    @property
    def cost_micros(self) -> int:
        """What the tasks with a known cost took, in micro-dollars."""
        return sum(converted.price.micros or 0 for converted in self.events)

    @property
    def unpriced(self) -> dict[str, int]:
        """Model to number of tasks of which the cost is not known."""
        return dict(Counter(converted.event.model for converted in self.events if converted.price.micros is None))

    def as_json(self) -> dict[str, Any]:
        tokens = [task.usage for task in self.reported]
        found: dict[str, Any] = {
            "harness": self.collector.name,
            "files": self.collection.files,
            "tasks": len(self.reported),
            "running": self.collection.running,
            "unreliable_left_out": self.left_out,
            "skipped": self.collection.skipped,
            "input_tokens": sum(usage.input for usage in tokens),
            "output_tokens": sum(usage.output for usage in tokens),
            "cost_usd_micros": self.cost_micros,
            "cost_unknown": self.unpriced,
            "clamped": self.clamped,
            "unfit": list(self.unfit),
            "calls_outside_tasks": len(self.collection.outside),
        }
        if self.delivery is not None:
            found |= {
                "accepted": self.delivery.accepted,
                "known": self.delivery.known,
                "rejected": self.delivery.rejected,
                "undelivered": self.delivery.undelivered,
                "error": self.delivery.error or None,
            }
        return found


def _local(database: Path) -> tuple[Sink, str]:
    """The database on this machine, and the id of the instance that it keeps for it."""
    from mosaic_telemetry.cli.local import LocalSink

    if not TelemetryConfig.from_env(server_url="http://localhost", api_key="-", instance_id="-").enabled:
        raise click.ClickException("telemetry is switched off by DO_NOT_TRACK or MOSAIC_TELEMETRY_ENABLED; --dry-run shows what would be reported")
    sink = LocalSink(database)
    return sink, sink.instance_id


def _server(server: str | None, api_key: str | None, instance_id: str | None) -> Sink:
    missing = [name for name, value in (("--server", server), ("--api-key", api_key), ("--instance-id", instance_id)) if not value]
    if not server or not api_key or not instance_id:
        raise click.ClickException(
            f"give {' and '.join(missing)} too to report to a server; without any of the three, events go into the database on this machine"
        )
    # Problems come back with the delivery; the SDK's own log lines would say them a second time.
    logging.getLogger("mosaic_telemetry").addHandler(logging.NullHandler())
    try:
        return ServerSink(server, api_key, instance_id)
    except ValidationError as error:
        raise click.ClickException("; ".join(map(str, error.errors))) from error


def _run(collector: Collector, path: Path | None, sink: Sink | None, instance_id: str, switches: _Switches) -> None:
    files = _find(collector, path)
    with ProgressWatcher(files, verbose=switches.verbose) as watcher:
        collection = collector.collect(files, now_ms=time.time_ns() // 1_000_000, watcher=watcher)
    reported = [task for task in collection.tasks if switches.include_unreliable or not task.unreliable]
    events, unfit = _convert(reported, instance_id)
    report = _Report(collector, collection, reported, events, unfit)
    if sink is not None:
        report.delivery = sink.deliver([converted.event for converted in report.events]) if report.events else Delivery()
    if switches.as_json and sink is None:
        for converted in report.events:
            click.echo(encode_event(converted.event))
    elif switches.as_json:
        print_json(report.as_json())
    else:
        _show(report, sink)
    if report.delivery is not None and not report.delivery.complete:
        raise click.exceptions.Exit(1)


def _find(collector: Collector, path: Path | None) -> Sequence[Path]:
    places = [path] if path is not None else collector.places(os.environ, Path.home())
    try:
        files = [file for place in places for file in collector.find(place)]
    except OSError as error:
        raise click.ClickException(f"cannot read {error.filename}: {error.strerror}") from error
    if not files and not places:
        raise click.ClickException(f"{collector.title} has no usual place: give the folder or the file as PATH")
    if not files:
        looked = " and ".join(f"{place}{'' if place.exists() else ' (does not exist)'}" for place in places)
        raise click.ClickException(f"no {collector.title} sessions found; looked in {looked}. Give the folder or the file as PATH")
    return files


def _convert(tasks: Sequence[Task], instance_id: str) -> tuple[list[Converted], list[str]]:
    """The events of the tasks, and one line for each task of which none can be made; such a one keeps no other from going."""
    converted, problems = [], []
    for task in tasks:
        try:
            converted.append(to_event(task, instance_id))
        except ValidationError as error:
            if any(problem.field == "instance_id" for problem in error.errors):
                raise click.ClickException("; ".join(map(str, error.errors))) from error
            problems.append(str(error))
    return converted, problems


def _show(report: _Report, sink: Sink | None) -> None:
    """The summary for a person: what was found, what became of it, what is missing from it and why."""
    collection = report.collection
    found = report.as_json()
    spent = f"{numbers.count(found['input_tokens'])} tokens in, {numbers.count(found['output_tokens'])} out, {_cost(report)}"
    click.echo(f"{report.collector.title}: {_several(collection.files, 'file')}, {_several(len(report.reported), 'finished task')}, {spent}.")
    if sink is None:
        _table(report)
    elif report.delivery is not None:
        delivery = report.delivery
        if delivery.accepted or delivery.known or delivery.rejected or not delivery.undelivered:
            click.echo(f"Reported to {sink.name}: {delivery.accepted} accepted, {delivery.known} already known, {sum(delivery.rejected.values())} rejected.")
        for reason, count in delivery.rejected.items():
            click.echo(f"Rejected: {_several(count, 'task')}: {reason}")
        if delivery.undelivered:
            click.echo(f"Not delivered: {_several(delivery.undelivered, 'task')}: {delivery.error}. {_advice(delivery.error)}", err=True)
    for line in _remarks(report):
        click.echo(line)


def _advice(error: str) -> str:
    """What to do about a delivery that failed."""
    if error.startswith("HTTP 401"):
        return "Check --api-key."
    if error.startswith("HTTP 403"):
        return "Check that --instance-id is the one that the key belongs to."
    return "Collect again later: nothing is reported twice."


def _cost(report: _Report) -> str:
    unknown = sum(report.unpriced.values())
    if unknown and unknown == len(report.events):
        return "cost unknown"
    return numbers.cost(report.cost_micros) if not unknown else f"{numbers.cost(report.cost_micros)} and {_several(unknown, 'task')} of unknown cost"


def _remarks(report: _Report) -> list[str]:
    collection = report.collection
    told = [(f"No price is known for {model}", count) for model, count in sorted(report.unpriced.items())]
    lines = [f"{text} ({_several(count, 'task')})." for text, count in told]
    if report.left_out:
        lines.append(f"Left out: {_several(report.left_out, 'task')} with token counts that are wrong in the log (--include-unreliable reports them).")
    lines += [f"Left out, since no event can be made of it: {problem}." for problem in report.unfit]
    if collection.running:
        lines.append(f"Still running: {_several(collection.running, 'task')}; collect again later.")
    if report.clamped:
        lines.append(
            "Cut to the largest value that an event takes: " + ", ".join(f"{name} ({_several(n, 'task')})" for name, n in report.clamped.items()) + "."
        )
    if collection.outside:
        lines.append(f"Belonging to no task: {_several(len(collection.outside), 'model call')}, made without a prompt or in sessions that are not there.")
    if collection.skipped:
        lines.append(f"Skipped: {_several(collection.skipped, 'line')} that could not be read (--verbose names them).")
    return lines


def _table(report: _Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, right in (("ended", False), ("work", False), ("size", False), ("model", False), ("outcome", False), ("in", True), ("out", True)):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for task, converted in list(zip(report.reported, report.events, strict=True))[-_SHOWN:]:
        event = converted.event
        cells: tuple[str, ...] = (event.timestamp[:16].replace("T", " "), event.task_type, event.complexity, event.model, event.outcome)
        cells += (numbers.count(task.usage.input), numbers.count(task.usage.output), numbers.cost(converted.price.micros), numbers.duration(task.active_ms))
        table.add_row(*cells)
    count = len(report.events)
    if count:
        click.echo(f"\nWould be reported{f' (the newest {_SHOWN})' if count > _SHOWN else ''}, times in UTC:")
        Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
        click.echo("\nNothing was sent. --dry-run --json prints each event as it would leave.")


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
