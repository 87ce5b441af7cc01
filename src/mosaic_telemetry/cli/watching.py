"""`collect --watch`: follow harnesses' logs while they are written, and report each task once it has ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import FrameType

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.collected import several
from mosaic_telemetry.cli.collecting import Report, Target, collect_from
from mosaic_telemetry.collectors import Choice, Collector
from mosaic_telemetry.schema import encode_event

__all__ = ["watch"]

_EVERY_S = 1.0
_SHARE = 10  # of the time at most a tenth is spent on reading, however long a session grows
_AFTER_FAILURE_S = 30.0


@dataclass(slots=True)
class _Followed:
    """One harness, and when to look at it again."""

    collector: Collector
    path: Path | None
    rest_until: float = 0.0
    complaint: str = ""

    def files(self) -> Sequence[Path]:
        places = [self.path] if self.path is not None else self.collector.places(os.environ, Path.home())
        try:
            return [file for place in places for file in self.collector.find(place)]
        except OSError:
            return []  # it comes and goes while it is looked at


def watch(wanted: Sequence[tuple[Collector, Path | None]], choice: Choice, target: Target, *, verbose: bool, as_json: bool) -> None:
    """Follow until Ctrl-C or SIGTERM; what is in work then is finished first.

    Args:
        wanted: the harnesses, each with its place or None for its usual ones.
        choice: which tasks are wanted.
        target: where their events go.
        verbose: whether to name lines that were skipped.
        as_json: whether to print each event as a line of JSON instead of text for a person.
    """
    followed = [_Followed(collector, path) for collector, path in wanted]
    with _stopping() as stop:
        named = ", ".join(f"{one.collector.title} ({several(len(files), 'file')})" for one in followed if (files := one.files()) or len(followed) == 1)
        click.echo(f"Watching {named or 'for the first session of any harness'}. Ctrl-C ends it.", err=True)
        while True:
            for one in followed:
                if not stop.is_set() and time.monotonic() >= one.rest_until:
                    _look(one, choice, target, verbose=verbose, as_json=as_json)
            if stop.wait(_EVERY_S):
                return


def _look(one: _Followed, choice: Choice, target: Target, *, verbose: bool, as_json: bool) -> None:
    files = one.files()
    if not files:
        return
    began = time.monotonic()
    report = collect_from(one.collector, files, choice, target, verbose=verbose, now_ms=time.time_ns() // 1_000_000)
    now = time.monotonic()
    one.rest_until = now + (now - began) * _SHARE
    _tell(one, report, as_json=as_json)


def _tell(one: _Followed, report: Report, *, as_json: bool) -> None:
    delivery = report.delivery
    complaint = ""
    if delivery is not None and (delivery.undelivered or delivery.rejected):
        reasons = [*delivery.rejected, *([delivery.error] if delivery.undelivered else [])]
        complaint = f"{one.collector.title}: {several(delivery.undelivered + sum(delivery.rejected.values()), 'task')} not taken: {'; '.join(reasons)}"
        one.rest_until = max(one.rest_until, time.monotonic() + _AFTER_FAILURE_S) if delivery.undelivered else one.rest_until
    if complaint and complaint != one.complaint:
        click.echo(complaint, err=True)
    one.complaint = complaint
    if delivery is None or delivery.undelivered:
        return
    for task, converted in report.events:
        if as_json:
            click.echo(encode_event(converted.event))
            continue
        event = converted.event
        spent = f"{figures.count(task.usage.input)} in, {figures.count(task.usage.output)} out, {figures.cost(converted.price.micros)}"
        when = time.strftime("%H:%M:%S", time.localtime(task.ended_ms / 1000))
        kind = f"{event.task_type}, {event.complexity}, {event.model}"
        click.echo(f"{when} {one.collector.title}: {kind}: {event.outcome}; {spent}, {figures.duration(task.active_ms)}")


@contextmanager
def _stopping() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the program at once."""
    stop = Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
