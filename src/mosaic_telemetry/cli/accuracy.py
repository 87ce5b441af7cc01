"""`mosaic-telemetry report --accuracy`: how good were the predictions?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.common import Database, print_json
from mosaic_telemetry.cli.kinds import asked_engine

__all__ = ["report_accuracy"]


def report_accuracy(server: str | None, database: Database, *, as_json: bool) -> None:
    """Print how past predictions did, of a server or of the database on this machine.

    Raises:
        click.ClickException: neither can be asked.
    """
    found = _from_server(server) if server else _from_database(database)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _from_server(server: str) -> Mapping[str, Any]:
    from mosaic_telemetry.cli.remote import ask_server

    answer: Mapping[str, Any] = ask_server(server, "/v1/predictions/score")
    return answer


def _from_database(database: Database) -> Mapping[str, Any]:
    with asked_engine(database) as engine:
        return engine.accuracy()


def _show(found: Mapping[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not any(target["forecasts"] for target in found["targets"].values()):
        click.echo("No prediction has been held against a finished task yet: that takes more than five tasks.")
        return
    console.print(f"[bold]Each task against its forecast; {figures.share(found['promised_coverage'])} are to lie from p10 to p90[/bold]", soft_wrap=True)
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("")
    for heading in ("tasks", "within", "below", "above", "error", "width"):
        table.add_column(heading, justify="right")
    for name, target in found["targets"].items():
        if target["forecasts"]:
            table.add_row(figures.TARGETS[name], *_row(target))
            for size, score in target["by_sample_size"].items():
                table.add_row(f"  known before: {size.replace('-', ' to ')}", *_row(score), style="dim")
    console.print(table)
    console.print("As typical factors: the error is from median to truth, the width from p10 to p90.", soft_wrap=True, style="dim")


def _row(score: Mapping[str, Any]) -> tuple[str, ...]:
    count = score["forecasts"]
    shares = (figures.share(value) for value in (score["coverage"], score["below"] / count, score["above"] / count))
    return f"{count:,}", *shares, f"\N{MULTIPLICATION SIGN}{score['factor_error']:.2f}", f"\N{MULTIPLICATION SIGN}{score['sharpness']:.1f}"
