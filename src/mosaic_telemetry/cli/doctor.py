"""`mosaic-telemetry doctor`: what this machine's telemetry looks like."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.collected import several
from mosaic_telemetry.cli.common import json_option, print_json, spool_option

if TYPE_CHECKING:
    from mosaic_telemetry.collectors import Collector, Skipped

__all__ = ["command"]

_NAMED = 5  # what could not be read, of each harness


@click.command()
@click.option("--spool-only", is_flag=True, help="Do not look at the harnesses: their logs are read for it.")
@spool_option
@json_option
def command(spool_dir: str | None, *, spool_only: bool, as_json: bool) -> None:
    """Show the harnesses on this machine, what their logs hold and what of them cannot be read, and what waits in the spool.

    Nothing is sent or noted.

    \b
    Examples:
      mosaic-telemetry doctor
      mosaic-telemetry doctor --spool-only --json
    """
    from mosaic_telemetry.client.config import TelemetryConfig, resolve_config
    from mosaic_telemetry.client.spoolinfo import summarise_spools

    override = {} if spool_dir is None else {"spool_dir": spool_dir}
    root = resolve_config(TelemetryConfig.from_env({"MOSAIC_TELEMETRY_ENABLED": "false"}, **override)).spool_dir
    spools = [] if root is None else summarise_spools(root)
    harnesses = [] if spool_only else _harnesses()
    if as_json:
        print_json({"harnesses": harnesses, "spool_dir": root, "spools": [asdict(spool) for spool in spools]})
        return
    for harness in harnesses:
        _show_harness(harness)
    if not harnesses and not spool_only:
        click.echo("no harness found at its usual place")
    click.echo(f"spool: {root}")
    for spool in spools:
        since = "" if spool.oldest is None else f", last written {figures.duration(max(time.time() - spool.oldest, 0.0) * 1000)} ago"
        click.echo(f"  {spool.server_url or 'unknown server'}, instance {spool.instance_id or 'unknown'}")
        click.echo(f"    {spool.events:,} events in {spool.files} file{'s' if spool.files != 1 else ''}, {spool.size:,} bytes{since}")
    if not any(spool.events for spool in spools):
        click.echo("  nothing waits")
    else:
        click.echo("  `mosaic-telemetry flush` sends what no running process holds")


def _harnesses() -> list[dict[str, Any]]:
    """What is known of each harness that keeps sessions at its usual place."""
    from mosaic_telemetry.collectors import COLLECTORS

    found = []
    for collector in COLLECTORS:
        files: list[Path] = []
        problems: list[str] = []
        for place in collector.places(os.environ, Path.home()):
            try:
                files += collector.find(place)
            except OSError as error:
                problems.append(f"{error.filename}: cannot be read: {error.strerror}")
        if files or problems:
            found.append(_harness(collector, files, problems))
    return found


def _harness(collector: Collector, files: Sequence[Path], problems: Sequence[str]) -> dict[str, Any]:
    from mosaic_telemetry.cli.progress import ProgressWatcher
    from mosaic_telemetry.collectors import Choice, UnitReader, plan_scan

    now_ms = time.time_ns() // 1_000_000
    with ProgressWatcher(verbose=False) as progress:
        watcher = _Noting(progress)
        collection = plan_scan(collector, files, Choice(unreliable=True), now_ms=now_ms).run(UnitReader(watcher), now_ms).collection
    newest = max(collection.tasks, key=lambda task: task.ended_ms, default=None)
    return {
        "harness": collector.name,
        "title": collector.title,
        "versions": sorted({task.version for task in collection.tasks} - {""}, key=_by_number),
        "places": sorted({str(place) for place in collector.places(os.environ, Path.home()) if place.exists()}),
        "files": len(files),
        "sessions": len(collection.totals),
        "tasks": len(collection.tasks),
        "running": collection.running,
        "unreliable": sum(task.unreliable for task in collection.tasks),
        "newest_ms": None if newest is None else newest.ended_ms,
        "unmatched": collector.name == "claude-code" and newest is not None and not newest.shared,
        "skipped": collection.skipped,
        "unreadable": [*problems, *map(str, watcher.skipped)],
        "models": dict(Counter(task.model for task in collection.tasks).most_common()),
    }


class _Noting:
    """Keeps what could not be read, as far as a person will look at it, and passes the rest on."""

    _MOST = 100

    def __init__(self, progress: Any) -> None:
        self.skipped: list[Skipped] = []
        self.expect = progress.expect
        self.advance = progress.advance

    def skip(self, skipped: Skipped) -> None:
        if len(self.skipped) < self._MOST:
            self.skipped.append(skipped)


def _show_harness(harness: Mapping[str, Any]) -> None:
    from mosaic_telemetry.collectors.otlp import PROMPTS_LOGGED

    versions = harness["versions"]
    named = "" if not versions else f" {versions[0]}" if len(versions) == 1 else f" {versions[0]} … {versions[-1]}"
    click.echo(f"{harness['title']}{named}: {', '.join(harness['places'])}")
    counts = [several(harness["files"], "file"), several(harness["sessions"], "session"), several(harness["tasks"], "finished task")]
    counts += [f"{harness['running']:,} running"] if harness["running"] else []
    counts += [f"{harness['unreliable']:,} with unreliable token counts"] if harness["unreliable"] else []
    if harness["newest_ms"] is not None:
        counts.append(f"the newest {figures.duration(max(0.0, time.time() * 1000 - harness['newest_ms']))} ago")
    click.echo(f"  {', '.join(counts)}")
    if harness["unmatched"]:
        click.echo(f"  its log does not name prompts, as it does from {PROMPTS_LOGGED} on: send its telemetry to `serve --otlp`, or collect, not both")
    problems = harness["unreadable"]
    if problems:
        count = max(harness["skipped"], len(problems))
        click.echo(f"  could not be read: {count:,} {'line or file' if count == 1 else 'lines or files'}")
        for problem in problems[:_NAMED]:
            click.echo(f"    {problem}")


def _by_number(version: str) -> list[tuple[int, str]]:
    """2.1.7 stands before 2.1.197."""
    return [(int(part) if part.isdecimal() and len(part) < 20 else 0, part) for part in version.split(".")]
