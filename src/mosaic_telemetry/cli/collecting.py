"""One collection: what is new in a harness's logs becomes events, and these go to where they are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mosaic_telemetry.cli.common import Database
from mosaic_telemetry.cli.estimating import estimated
from mosaic_telemetry.cli.progress import LateBar, ProgressWatcher
from mosaic_telemetry.cli.projects import Projects
from mosaic_telemetry.collectors import Choice, Collector, Converted, Delivery, Scan, ScanState, Sink, Task, plan_scan, to_event
from mosaic_telemetry.collectors.readers import UnitReader
from mosaic_telemetry.collectors.repository import Repositories
from mosaic_telemetry.pricing import PriceList
from mosaic_telemetry.schema import ValidationError

__all__ = ["Report", "Target", "collect_from", "converted_tasks"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where events go.

    Attributes:
        sink: takes them; None for a dry run, which shows them only.
        instance_id: which installation reports.
        state: what earlier scans for this target did; None for a dry run, which neither reads nor writes it.
        prices: the person's own price list.
        projects: where the project of each task is noted, on this machine alone; None notes none.
        database: what is asked for predictions from before a task, which become its estimates.
    """

    sink: Sink | None
    instance_id: str
    state: ScanState | None
    prices: PriceList | None = None
    projects: Projects | None = None
    database: Database | None = None


@dataclass(slots=True)
class Report:
    """What a collection found and what became of it.

    Attributes:
        events: of the tasks that are new, with these beside them.
        unfit: one line for each task of which no event can be made.
        before: tasks that earlier scans reported.
        delivery: what the target answered; None in a dry run.
    """

    scan: Scan
    events: Sequence[tuple[Task, Converted]]
    unfit: Sequence[str]
    before: int
    left_out: int
    delivery: Delivery | None = None

    @property
    def clamped(self) -> dict[str, int]:
        """Field to number of events in which its value was cut to the contract's bound."""
        return dict(Counter(name for _, converted in self.events for name in converted.clamped))

    @property
    def cost_micros(self) -> int:
        """What the tasks with a known cost took, in micro-dollars."""
        return sum(converted.price.micros or 0 for _, converted in self.events)

    @property
    def unpriced(self) -> dict[str, int]:
        """Model to number of tasks of which the cost is not known."""
        return dict(Counter(converted.event.model for _, converted in self.events if converted.price.micros is None))

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        collection = self.scan.collection
        found: dict[str, Any] = {
            "harness": self.scan.collector.name,
            "files": self.scan.files,
            "files_read": self.scan.read,
            "tasks": len(self.events),
            "reported_before": self.before,
            "running": collection.running,
            "unreliable_left_out": self.left_out,
            "skipped": collection.skipped,
            "input_tokens": sum(task.usage.input for task, _ in self.events),
            "output_tokens": sum(task.usage.output for task, _ in self.events),
            "cost_usd_micros": self.cost_micros,
            "cost_sources": dict(Counter(converted.price.source.value for _, converted in self.events)),
            "cost_unknown": self.unpriced,
            "clamped": self.clamped,
            "unfit": list(self.unfit),
            "calls_outside_tasks": len(collection.outside),
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


def collect_from(collector: Collector, files: Sequence[Path], choice: Choice, target: Target, *, verbose: bool, now_ms: int) -> Report:
    """Scan, convert and deliver; what was delivered is noted in the state once it was.

    Raises:
        click.ClickException: the instance's id is none.
    """
    with ProgressWatcher(verbose=verbose) as watcher:
        scan = plan_scan(collector, files, choice, now_ms=now_ms, state=target.state).run(UnitReader(watcher), now_ms)
    events, unfit = converted_tasks(scan.chosen, target.instance_id, target.prices)
    known = target.state.reported(converted.event.event_id for _, converted in events) if target.state is not None else set()
    new = estimated([(task, converted) for task, converted in events if converted.event.event_id not in known], target.database)
    left_out = sum(choice.concerns(task) and not choice.takes(task) for task in scan.collection.tasks)
    report = Report(scan, new, unfit, len(known), left_out)
    if target.sink is not None:
        if target.projects is not None:
            target.projects.keep(new)
        with LateBar("reporting") as bar:
            report.delivery = target.sink.deliver([converted.event for _, converted in new], bar.reach) if new else Delivery()
        if target.state is not None and not report.delivery.undelivered:
            scan.settle(target.state, [converted.event.event_id for _, converted in new])
    return report


def converted_tasks(tasks: Sequence[Task], instance_id: str, prices: PriceList | None) -> tuple[list[tuple[Task, Converted]], list[str]]:
    """The events of the tasks, and one line for each task of which none can be made; such a one keeps no other from going.

    Raises:
        click.ClickException: the instance's id is none.
    """
    converted: list[tuple[Task, Converted]] = []
    problems: list[str] = []
    repositories = Repositories()
    for task in tasks:
        try:
            converted.append((task, to_event(task, instance_id, prices, repositories.around(task.folder))))
        except ValidationError as error:
            if any(problem.field == "instance_id" for problem in error.errors):
                raise click.ClickException("; ".join(map(str, error.errors))) from error
            problems.append(str(error))
    return converted, problems
