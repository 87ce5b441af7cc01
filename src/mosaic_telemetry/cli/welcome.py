"""`mosaic-telemetry` without a command: what it found on this machine, and what to type next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.common import print_json
from mosaic_telemetry.cli.places import database_path
from mosaic_telemetry.collectors import COLLECTORS, Collector

__all__ = ["welcome"]

_SUMS = """
SELECT coalesce(sum(events), 0), coalesce(sum(cost_usd_micros), 0),
       (SELECT text FROM texts WHERE number = (SELECT model FROM daily_totals GROUP BY model ORDER BY sum(events) DESC LIMIT 1))
FROM daily_totals
"""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the local database holds: tasks, their cost in micro-dollars, and the model of most of them."""

    tasks: int
    micros: int
    model: str


def welcome(env: Mapping[str, str], home: Path, *, as_json: bool) -> None:
    """Print it.

    Args:
        env: environment variables, which may say where a harness keeps its logs.
        home: the user's home directory.
        as_json: print it as JSON.
    """
    found = [(collector, files) for collector in COLLECTORS if (files := _files(collector, env, home))]
    kept = _kept(env.get("MOSAIC_TELEMETRY_DATABASE") or database_path())
    steps = _steps(has_logs=bool(found), kept=kept, has_server="MOSAIC_TELEMETRY_SERVER_URL" in env)
    if as_json:
        harnesses = [{"harness": collector.name, "title": collector.title, "files": files} for collector, files in found]
        print_json({"harnesses": harnesses, "tasks": kept.tasks, "cost_usd_micros": kept.micros, "next": [words for words, _ in steps]})
        return
    click.echo("mosaic-telemetry: know what a coding task will cost, how long it takes\nand whether it succeeds, before it is run.\n")
    if found:
        width = max(len(collector.title) for collector, _ in found)
        click.echo("On this machine:")
        for collector, files in found:
            click.echo(f"  {collector.title:<{width}}  {files:,} file{'s' if files != 1 else ''} of sessions")
    else:
        click.echo("On this machine there is no log of a harness that it knows\n(Claude Code, opencode, Codex, Gemini CLI, aider, …).")
    if kept.tasks:
        click.echo(f"\nIn its database: {kept.tasks:,} task{'s' if kept.tasks != 1 else ''}, {figures.cost(kept.micros)} in all.")
    click.echo("\nNext:")
    for words, why in steps:
        click.echo(f"  {click.style(words, bold=True)}\n      {why}")
    click.echo("\n`mosaic-telemetry --help` lists all commands.")


def _steps(*, has_logs: bool, kept: _Kept, has_server: bool) -> list[tuple[str, str]]:
    steps = []
    if has_logs:
        steps.append(
            ("mosaic-telemetry collect --all", "bring in what these have on record" + (", for your server" if has_server else "; nothing leaves this machine"))
        )
    elif not kept.tasks:
        steps.append(("mosaic-telemetry demo", "see the whole loop on recorded sessions"))
    if kept.tasks:
        steps.append(("mosaic-telemetry report", "where the money went in the last 7 days"))
        steps.append((f"mosaic-telemetry predict --task-type debugging --model {kept.model or 'NAME'}", "what the next task will cost"))
    else:
        steps.append(("mosaic-telemetry serve", "run a server for a team, with pages at its address"))
    return steps


def _files(collector: Collector, env: Mapping[str, str], home: Path) -> int:
    """How many files of sessions there are at the usual places."""
    count = 0
    for place in collector.places(env, home):
        try:
            count += len(collector.find(place))
        except OSError:
            continue  # a folder that this user may not look into
    return count


def _kept(database: str) -> _Kept:
    """What is in the local database; nothing where it cannot be read."""
    import sqlite3
    from urllib.parse import quote

    nothing = _Kept(0, 0, "")
    if not os.path.exists(database):  # noqa: PTH110 - as where the path comes from
        return nothing
    try:
        connection = sqlite3.connect(f"file:{quote(os.path.abspath(database))}?mode=ro", uri=True, timeout=0.2)  # noqa: PTH100 - as above
        try:
            tasks, micros, model = connection.execute(_SUMS).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return nothing
    return _Kept(tasks, micros, model or "")
