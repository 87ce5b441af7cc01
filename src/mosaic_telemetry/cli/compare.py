"""`mosaic-telemetry compare`: which model is cheapest per success?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.common import Database, asked_server, database_option, json_option, print_json, server_option
from mosaic_telemetry.cli.kinds import asked_engine, dollars_option, kind_options

__all__ = ["command"]


@click.command()
@kind_options
@click.option("--model", "models", multiple=True, metavar="NAME", help="Model to compare; may be given several times.  [default: all that are known]")
@dollars_option("--budget", "What a typical task may cost; models above are left out.")
@server_option
@database_option
@json_option
def command(task_type: str, complexity: str, models: Sequence[str], budget: float | None, server: str | None, database: Database, *, as_json: bool) -> None:
    """Compare models on one kind of task by what a success costs.

    Failures are paid for, too: the cost per success is the mean cost of a task over the share of tasks that succeed. Each figure comes with the
    interval that holds the truth four times in five, and models with fewer than five tasks are named as such.

    \b
    Examples:
      mosaic-telemetry compare --task-type debugging --complexity high
      mosaic-telemetry compare --task-type testing --model gpt-5 --budget 0.50
    """
    asked = asked_server(server)
    found = _from_server(asked, task_type, complexity, models, budget) if asked else _from_database(database, task_type, complexity, models, budget)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _from_database(database: Database, task_type: str, complexity: str, models: Sequence[str], budget: float | None) -> Mapping[str, Any]:
    from mosaic_telemetry.engine.advising import comparison_as_json

    with asked_engine(database) as engine:
        return comparison_as_json(task_type, complexity, engine.compare(task_type, complexity, models, math.inf if budget is None else budget * 1e6))


def _from_server(server: str, task_type: str, complexity: str, models: Sequence[str], budget: float | None) -> Mapping[str, Any]:
    from urllib.parse import urlencode

    from mosaic_telemetry.cli.remote import ask_server

    query = [("task_type", task_type), ("complexity", complexity), *(("model", model) for model in models)]
    if budget is not None:
        query.append(("budget_usd_micros", str(budget * 1e6)))
    answer: Mapping[str, Any] = ask_server(server, f"/v1/compare?{urlencode(query)}")
    return answer


def _show(found: Mapping[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"[bold]{found['task_type'].replace('_', ' ')}, {found['complexity']} complexity[/bold]", soft_wrap=True)
    if not found["models"]:
        console.print("No model has been reported for such tasks, or none within the budget.")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("model", overflow="ellipsis", max_width=24)  # the one column that gives way where a terminal is narrow
    for heading in ("n", "per success (4 in 5)", "success", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found["models"]:
        table.add_row(one["model"], f"{one['sample_size']:,}", *_figures(one))
    console.print(table)
    console.print("Costs per success count failures in; success and time are of a task.", soft_wrap=True, style="dim")


def _figures(one: Mapping[str, Any]) -> tuple[str, str, str]:
    if not one["enough_data"]:
        return "not enough data", "", ""
    cost, rate = one["cost_per_success_usd_micros"], one["success_rate"]
    if cost is None:
        value = "unknown"
    else:
        high = "?" if cost["high"] is None else figures.cost(cost["high"])
        value = f"{'no success' if cost['value'] is None else figures.cost(cost['value'])} ({figures.cost(cost['low'])} to {high})"
    return value, figures.share(rate["value"]), figures.duration(one["duration_ms"])
