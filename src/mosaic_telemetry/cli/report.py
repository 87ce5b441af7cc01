"""`mosaic-telemetry report`: where did the money go?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.common import Database, asked_server, database_option, json_option, place_of, print_json, server_options
from mosaic_telemetry.cli.kinds import asked_engine

if TYPE_CHECKING:
    from rich.table import Table

    from mosaic_telemetry.engine.store import TotalKey, Totals

__all__ = ["DayParam", "command", "sparkline"]

_WHAT = ("day", "model", "task_type", "complexity", "harness", "provider", "project")
_ROWS = 12
_BARS = "▁▂▃▄▅▆▇█"
_DAYS = re.compile(r"(\d{1,4})d")


class DayParam(click.ParamType[date]):
    """A day: 2026-02-07, or so many days ago, as in 30d."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day that a text names."""
        if isinstance(value, date):
            return value
        if ago := _DAYS.fullmatch(value):
            return datetime.now(UTC).date() - timedelta(days=int(ago[1]) - 1)
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day: write 2026-02-07, or 30d for the last 30 days", param, ctx)


@click.command()
@click.option("--since", type=DayParam(), default="7d", show_default=True, metavar="DAY", help="First day: 2026-02-07, or 30d for the last 30 days.")
@click.option("--until", type=DayParam(), metavar="DAY", help="Last day.  [default: today]")
@click.option("--by", type=click.Choice(_WHAT), multiple=True, help="What to group by; may be given several times.  [default: day, model, task_type]")
@click.option("--accuracy", is_flag=True, help="Show how good past predictions were instead, over all the time that is on record.")
@server_options
@database_option
@json_option
def command(
    since: date,
    until: date | None,
    by: Sequence[str],
    server: str | None,
    api_key: str | None,
    instance_id: str | None,  # noqa: ARG001 - comes with the options for a server
    database: Database,
    *,
    accuracy: bool,
    as_json: bool,
) -> None:
    """Show spend, tokens, tasks, success and cost per success.

    Reads the database on this machine, or asks a server with --server and an API key. Days are those of UTC.

    \b
    Examples:
      mosaic-telemetry report
      mosaic-telemetry report --since 30d --by model
      mosaic-telemetry report --by project
      mosaic-telemetry report --since 2026-01-01 --until 2026-01-31 --json
      mosaic-telemetry report --accuracy
    """
    if accuracy:
        from mosaic_telemetry.cli.accuracy import report_accuracy

        report_accuracy(asked_server(server), database, as_json=as_json)
        return
    until = until or datetime.now(UTC).date()
    if since > until:
        raise click.UsageError(f"--since {since} lies after --until {until}")
    asked = asked_server(server)
    if asked and "project" in by:
        raise click.UsageError("projects never leave a machine, so that no server knows them: leave out --by project, or name a --database")
    totals = _from_server(asked, api_key, since, until) if asked else _from_database(database, since, until)
    groups = {group: _grouped(totals, group, database, since, until) for group in by or ("day", "model", "task_type")}
    if as_json:
        print_json(_as_json(totals, groups, since, until))
    else:
        _show(totals, groups, since, until)


def _grouped(totals: Mapping[TotalKey, Totals], group: str, database: Database, since: date, until: date) -> Mapping[str, Totals]:
    """Totals by a dimension; by project from the notes on this machine, which know the tasks that were collected here."""
    from mosaic_telemetry.engine.reporting import grouped

    if group != "project":
        return grouped(totals, group)
    from mosaic_telemetry.cli.projects import Projects, projects_file
    from mosaic_telemetry.engine.store import Totals

    try:
        return {project or "unknown": Totals(*sums) for project, sums in Projects(projects_file(place_of(database))).sums(since, until).items()}
    except OSError as error:
        raise click.ClickException(str(error)) from error


def _from_database(database: Database, since: date, until: date) -> Mapping[TotalKey, Totals]:
    with asked_engine(database) as engine:
        return engine.totals(since, until)


def _from_server(server: str, api_key: str | None, since: date, until: date) -> Mapping[TotalKey, Totals]:
    from mosaic_telemetry.cli.remote import ask_server
    from mosaic_telemetry.engine.reporting import number_of
    from mosaic_telemetry.engine.store import TotalKey, Totals

    if not api_key:
        raise click.UsageError("a report from a server takes an API key: --api-key, or MOSAIC_TELEMETRY_API_KEY")
    answer = ask_server(server, "/v1/totals", query={"since": since.isoformat(), "until": until.isoformat()}, api_key=api_key)
    try:
        rows = [row | {"day": number_of(date.fromisoformat(row["day"]))} for row in answer["totals"]]
        return {TotalKey(*(row[name] for name in TotalKey._fields)): Totals(*(int(row[name]) for name in Totals._fields)) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise click.ClickException(f"{server} answered with something that is no report; is its version that of this program?") from error


def _as_json(totals: Mapping[TotalKey, Totals], groups: Mapping[str, Mapping[str, Totals]], since: date, until: date) -> dict[str, Any]:
    from mosaic_telemetry.engine.reporting import cost_per_success, grouped, success_rate

    def row(total: Totals) -> dict[str, Any]:
        return {**total._asdict(), "success_rate": success_rate(total), "cost_per_success_usd_micros": cost_per_success(total)}

    all_of_it = grouped(totals).get("")
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "total": row(all_of_it) if all_of_it else None,
        "by": {group: {name: row(total) for name, total in rows.items()} for group, rows in groups.items()},
    }


def _show(totals: Mapping[TotalKey, Totals], groups: Mapping[str, Mapping[str, Totals]], since: date, until: date) -> None:
    from rich.console import Console

    from mosaic_telemetry.engine.reporting import cost_per_success, grouped, success_rate

    console = Console(highlight=False)
    console.print(f"[bold]{since} to {until}[/bold]", soft_wrap=True)
    whole = grouped(totals).get("")
    if whole is None:
        console.print("No task ended on these days. `mosaic-telemetry collect --all` brings in what your harnesses have on record.", soft_wrap=True)
        return
    tasks = f"{whole.events:,} task{'s' if whole.events != 1 else ''}"
    rate, per_success = success_rate(whole) or 0.0, cost_per_success(whole)
    console.print(f"{tasks}, {_spend(whole)} spent, {figures.share(rate)} succeeded, {figures.cost(per_success)} per success", soft_wrap=True)
    if whole.priced < whole.events:
        console.print(f"[dim]{whole.events - whole.priced:,} of them have no known price: what they cost is not in these sums.[/dim]", soft_wrap=True)
    days = grouped(totals, "day")
    if len(days) > 1:
        stretch = [(since + timedelta(days=day)).isoformat() for day in range((until - since).days + 1)]
        console.print(f"spend {sparkline([days[day].cost_usd_micros if day in days else 0 for day in stretch][-60:])}")
    for group, rows in groups.items():
        if rows:
            console.print(_table(group, rows))
        else:
            console.print("Of no task on these days is the project known: `mosaic-telemetry collect` and the hook note it on this machine.", soft_wrap=True)


def _table(group: str, rows: Mapping[str, Totals]) -> Table:
    from rich import box
    from rich.table import Table

    from mosaic_telemetry.engine.reporting import cost_per_success, success_rate

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column(group.replace("_", " "), overflow="ellipsis", max_width=24)  # the one column that gives way where a terminal is narrow
    for heading in ("tasks", "input", "output", "spend", "success", "per success"):
        table.add_column(heading, justify="right", no_wrap=True)
    shown = list(rows.items())[-_ROWS * 3 :] if group == "day" else list(rows.items())[:_ROWS]
    for name, total in shown:
        rate = success_rate(total) or 0.0
        amounts = figures.count(total.input_tokens), figures.count(total.output_tokens)
        table.add_row(
            Path(name).name if group == "project" else name,
            f"{total.events:,}",
            *amounts,
            _spend(total),
            figures.share(rate),
            figures.cost(cost_per_success(total)),
        )
    if len(rows) > len(shown):
        table.add_row(f"and {len(rows) - len(shown)} more", *[""] * 6, style="dim")
    return table


def _spend(total: Totals) -> str:
    """What was spent; unknown where no task has a price."""
    return figures.cost(total.cost_usd_micros if total.priced else None)


def sparkline(values: Sequence[float]) -> str:
    """Amounts as bars of text, the highest for the largest; a space where there is none."""
    top = max(values, default=0)
    return "".join(" " if value <= 0 else _BARS[min(int(value / top * len(_BARS)), len(_BARS) - 1)] for value in values)
