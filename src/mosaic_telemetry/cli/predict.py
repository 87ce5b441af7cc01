"""`mosaic-telemetry predict`: what will a task cost, how long will it take, will it succeed?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from mosaic_telemetry import figures
from mosaic_telemetry.cli.common import Database, asked_server, database_option, is_missing, json_option, print_json, server_option
from mosaic_telemetry.cli.federation import prior_option, read_prior, trust_option
from mosaic_telemetry.cli.kinds import asked_engine, kind_options, provider_option
from mosaic_telemetry.schema import PredictionData, PredictionQuery, PredictionResponse, Provider, TokenDistribution, ValidationError, from_dict, to_dict

if TYPE_CHECKING:
    from rich.table import Table

    from mosaic_telemetry.engine.federation import Prior

__all__ = ["command", "show", "show_own", "vendor_of"]

# Who most often serves a model whose name begins like this, where `--provider` does not say.
_VENDORS = (
    ("claude", Provider.ANTHROPIC),
    ("gpt", Provider.OPENAI),
    ("o1", Provider.OPENAI),
    ("o3", Provider.OPENAI),
    ("o4", Provider.OPENAI),
    ("codex", Provider.OPENAI),
    ("gemini", Provider.GOOGLE),
    ("mistral", Provider.MISTRAL),
    ("codestral", Provider.MISTRAL),
    ("devstral", Provider.MISTRAL),
)


@click.command()
@kind_options
@click.option("--model", required=True, metavar="NAME", help="Model, as the harness names it, such as claude-sonnet-4-5.")
@provider_option
@server_option
@database_option
@prior_option
@trust_option
@json_option
def command(
    task_type: str,
    model: str,
    provider: str | None,
    complexity: str,
    server: str | None,
    database: Database,
    prior: Path | None,
    trust: str | None,
    *,
    as_json: bool,
) -> None:
    """Predict tokens, cost, time and success of a task from what such tasks really took.

    Asks the server, or without one the database on this machine. Where both know something, your own history stands beside the
    server's answer.

    \b
    Examples:
      mosaic-telemetry predict --task-type testing --model claude-sonnet-4-5
      mosaic-telemetry predict --task-type testing --model gpt-5 --complexity high
    """
    try:
        query = from_dict(PredictionQuery, {"task_type": task_type, "model": model, "provider": provider or vendor_of(model), "complexity": complexity})
    except ValidationError as error:
        raise click.UsageError("; ".join(map(str, error.errors))) from error
    asked = asked_server(server)
    if prior is not None:
        if click.get_current_context().get_parameter_source("server") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--prior asks no server: leave out --server")
        answer = _ask_beside(database, query, read_prior(prior, trust))
    elif trust is not None:
        raise click.UsageError("--trust belongs to --prior")
    else:
        answer = _ask_server(asked, query) if asked else _ask_database(database, query)
    own = _own_history(database, query) if asked and prior is None else None
    if as_json:
        print_json({**to_dict(answer), **({"own_history": to_dict(own)} if own else {})})
    else:
        show(query, answer)
        if own:
            show_own(own)


def vendor_of(model: str) -> Provider:
    """Who most often serves a model of this name."""
    name = model.strip().lower()
    return next((provider for prefix, provider in _VENDORS if name.startswith(prefix)), Provider.UNKNOWN)


def _ask_server(url: str, query: PredictionQuery) -> PredictionResponse:
    from mosaic_telemetry.client import BatchSubmitter, TelemetryConfig, TelemetryError

    try:
        # Predictions are public: the key and the instance are never sent.
        submitter = BatchSubmitter(TelemetryConfig(url, api_key="none", instance_id="none"))
        return submitter.predictions([query]).results[0]
    except ValidationError as error:
        raise click.UsageError("; ".join(map(str, error.errors))) from error
    except TelemetryError as error:
        raise click.ClickException(f"no prediction from {url}: {error}; is the server running there?") from error


def _ask_database(database: Database, query: PredictionQuery) -> PredictionResponse:
    with asked_engine(database) as engine:
        return engine.predict([query])[0]


def _own_history(database: Database, query: PredictionQuery) -> PredictionResponse | None:
    """What the tasks on this machine say, beside a server's answer; None where they say nothing, or the database cannot be read."""
    if is_missing(database) or not isinstance(database, Path):
        return None
    try:
        own = _ask_database(database, query)
    except click.ClickException:
        return None
    return own if own.prediction and own.metadata.sample_size else None


def _ask_beside(database: Database, query: PredictionQuery, prior: Prior) -> PredictionResponse:
    """The answer of a database, which need not be there, beside what another server exported."""
    if not is_missing(database):
        with asked_engine(database) as engine:
            return engine.predict([query], prior)[0]
    from mosaic_telemetry.engine.predict import predict

    return predict([query], lambda _: {}, 0, prior=prior)[0]


def show(query: PredictionQuery, answer: PredictionResponse) -> None:
    """Print a prediction as a table that fits 80 columns."""
    from rich.console import Console

    console = Console(highlight=False)
    what = f"{query.task_type.replace('_', ' ')}, {query.complexity} complexity, with {query.model} ({query.provider})"
    console.print(f"[bold]{what}[/bold]", soft_wrap=True)
    if answer.prediction is None:
        console.print("Not enough is known yet: a prediction takes at least five tasks. Report or collect some more.")
        return
    console.print(_table(answer.prediction))
    console.print(_basis(answer), soft_wrap=True)


def show_own(answer: PredictionResponse) -> None:
    """Print what the tasks on this machine say."""
    from rich.console import Console

    console = Console(highlight=False)
    if answer.prediction is not None:
        console.print("\n[bold]Your own history[/bold]")
        console.print(_table(answer.prediction))
        console.print(_basis(answer), soft_wrap=True)


def _table(data: PredictionData) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("")
    for heading in ("1 in 10 below", "median", "1 in 10 above"):
        table.add_column(heading, justify="right")
    for name, tokens in (("input tokens", data.input_tokens), ("output tokens", data.output_tokens)):
        table.add_row(name, *map(figures.count, _range(tokens)))
    table.add_row("cost", *map(figures.cost, _map_range(data.cost_usd_micros)))
    table.add_row("time", *("unknown" if value is None else figures.duration(value) for value in _map_range(data.duration_ms)))
    table.add_row("success rate", "", figures.share(data.quality.success_rate), "")
    table.add_row("gates passed", "", figures.share(data.quality.gate_pass_rate), "")
    return table


def _range(tokens: TokenDistribution) -> tuple[float, float, float]:
    return tokens.p10, tokens.median, tokens.p90


def _map_range(values: Mapping[str, float]) -> tuple[float | None, ...]:
    return tuple(values.get(key) for key in ("p10", "median", "p90"))


def _basis(answer: PredictionResponse) -> str:
    """What the numbers rest on, in words."""
    about = answer.metadata
    tasks = f"n = {about.sample_size:,} task{'s' if about.sample_size != 1 else ''}, confidence {about.confidence}"
    if about.fallback_level == 0:
        return " ".join(filter(None, (f"{tasks}: exactly this kind of task.", about.fallback_note)))
    return f"{tasks}. {about.fallback_note or f'Fallback by {about.fallback_level} steps.'}"
