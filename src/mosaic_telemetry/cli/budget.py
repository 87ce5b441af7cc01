"""`mosaic-telemetry budget`: will a task stay within a budget, and which budget is kept?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.common import Database, asked_server, database_option, json_option, print_json, server_option
from mosaic_telemetry.cli.kinds import asked_engine, dollars_option, kind_options, provider_option
from mosaic_telemetry.cli.predict import vendor_of
from mosaic_telemetry.schema import PredictionQuery, ValidationError, from_dict, to_dict

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])

_NAMES = {"cost_usd_micros": "cost", "input_tokens": "input tokens", "output_tokens": "output tokens", "duration_ms": "time"}


def _tokens(name: str, text: str) -> Callable[[F], F]:
    return click.option(name, type=click.IntRange(min=0), metavar="TOKENS", help=text)


@click.command()
@kind_options
@click.option("--model", required=True, metavar="NAME", help="Model, as the harness names it.")
@provider_option
@dollars_option("--cost", "Limit: dollars.")
@_tokens("--input-tokens", "Limit: input tokens.")
@_tokens("--output-tokens", "Limit: output tokens.")
@click.option("--time", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Limit: seconds.")
@dollars_option("--spent-cost", "Dollars that the task has already cost.")
@_tokens("--spent-input-tokens", "Input tokens that it has already read.")
@_tokens("--spent-output-tokens", "Output tokens that it has already written.")
@click.option("--spent-time", "spent_seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Seconds that it has already taken.")
@server_option
@database_option
@json_option
def command(
    task_type: str,
    complexity: str,
    model: str,
    provider: str | None,
    cost: float | None,
    input_tokens: int | None,
    output_tokens: int | None,
    seconds: float | None,
    spent_cost: float | None,
    spent_input_tokens: int | None,
    spent_output_tokens: int | None,
    spent_seconds: float | None,
    server: str | None,
    database: Database,
    *,
    as_json: bool,
) -> None:
    """Say how likely a task stays within a budget, and which budget nine tasks in ten keep.

    With what a task has already taken, say how much is still to come.

    \b
    Examples:
      mosaic-telemetry budget --task-type debugging --model gpt-5 --cost 0.50
      mosaic-telemetry budget --task-type testing --model gpt-5 --spent-cost 0.80
    """
    try:
        asked_for = {"task_type": task_type, "model": model, "provider": provider or vendor_of(model), "complexity": complexity}
        query = from_dict(PredictionQuery, asked_for)
    except ValidationError as error:
        raise click.UsageError("; ".join(map(str, error.errors))) from error
    limits = _given(cost, input_tokens, output_tokens, seconds)
    spent = _given(spent_cost, spent_input_tokens, spent_output_tokens, spent_seconds)
    asked = asked_server(server)
    found = _from_server(asked, query, limits, spent) if asked else _from_database(database, query, limits, spent)
    if as_json:
        print_json(found)
    else:
        _show(query, found)


def _given(cost: float | None, input_tokens: int | None, output_tokens: int | None, seconds: float | None) -> dict[str, float]:
    """The amounts that were given, in the wire's units."""
    dollars, milliseconds = None if cost is None else cost * 1e6, None if seconds is None else seconds * 1000
    amounts = {"cost_usd_micros": dollars, "input_tokens": input_tokens, "output_tokens": output_tokens, "duration_ms": milliseconds}
    return {name: value for name, value in amounts.items() if value is not None}


def _from_database(database: Database, query: PredictionQuery, limits: Mapping[str, float], spent: Mapping[str, float]) -> Mapping[str, Any]:
    from mosaic_telemetry.engine.advising import allowances, budget_as_json

    with asked_engine(database) as engine:
        (answer,) = engine.predict([query])
    return budget_as_json(answer, allowances(answer.prediction, limits, spent) if answer.prediction else {})


def _from_server(server: str, query: PredictionQuery, limits: Mapping[str, float], spent: Mapping[str, float]) -> Mapping[str, Any]:
    from mosaic_telemetry.cli.remote import ask_server

    amounts = {**limits, **{f"spent_{name}": value for name, value in spent.items()}}
    answer: Mapping[str, Any] = ask_server(server, "/v1/budget", query={**to_dict(query), **{name: str(value) for name, value in amounts.items()}})
    return answer


def _show(query: PredictionQuery, found: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    what = f"{query.task_type.replace('_', ' ')}, {query.complexity} complexity, with {query.model} ({query.provider})"
    console.print(f"[bold]{what}[/bold]", soft_wrap=True)
    if not found["quantities"]:
        console.print("Not enough is known yet: an answer takes at least five tasks. Report or collect some more.")
        return
    rows = found["quantities"]
    limited = any(one["limit"] is not None for one in rows.values())
    table = _empty("", "9 in 10 stay within", *(["limit", "kept"] if limited else []))
    for name, one in rows.items():
        limit = [_amount(name, one["limit"]), "" if one["chance"] is None else figures.share(one["chance"])] if limited else []
        table.add_row(_NAMES[name], _amount(name, one["kept_in_9_of_10"]), *limit)
    console.print(table)
    begun = {name: one for name, one in rows.items() if one["spent"] is not None}
    if begun:
        table = _empty("still to come", "spent", "1 in 10 below", "median", "1 in 10 above")
        for name, one in begun.items():
            rest = one["still_to_come"]
            table.add_row(_NAMES[name], _amount(name, one["spent"]), *([] if rest is None else (_amount(name, rest[key]) for key in ("p10", "median", "p90"))))
        console.print(table)
    for name, one in begun.items():
        if one["still_to_come"] is None:
            console.print(f"{_NAMES[name].capitalize()}: more than any such task took.", soft_wrap=True)
    about = found["metadata"]
    console.print(f"n = {about['sample_size']:,}, confidence {about['confidence']}. {about['fallback_note'] or ''}".strip(), soft_wrap=True)


def _empty(*headings: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def _amount(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == "cost_usd_micros":
        return figures.cost(value)
    return figures.duration(value) if name == "duration_ms" else figures.count(value)
