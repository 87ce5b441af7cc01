"""`mosaic-telemetry collect`: turn a harness's own logs into events, and report them."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from mosaic_telemetry.cli.collected import show
from mosaic_telemetry.cli.collecting import Report, Target, collect_from
from mosaic_telemetry.cli.common import Database, database_option, json_option, place_of, print_json, server_options
from mosaic_telemetry.cli.projects import Projects, projects_file
from mosaic_telemetry.client import TelemetryConfig
from mosaic_telemetry.collectors import COLLECTORS, Choice, Collector, ScanState, ServerSink, parse_since, state_file
from mosaic_telemetry.pricing import PriceFileError, PriceList, load_prices, usual_price_file
from mosaic_telemetry.schema import ValidationError, encode_event

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])

_NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What the person asked for, apart from the harness."""

    server: str | None
    api_key: str | None
    instance_id: str | None
    database: Database
    since: str | None
    project: str | None
    dry_run: bool
    include_unreliable: bool
    rescan: bool
    audit: bool
    prices: Path | None
    watch: bool
    verbose: bool
    as_json: bool

    @property
    def choice(self) -> Choice:
        """Which tasks are wanted.

        Raises:
            click.ClickException: `--since` is no time.
        """
        try:
            since_ms = parse_since(self.since, datetime.now(UTC)) if self.since else 0
        except (ValueError, OverflowError):
            raise click.ClickException(f"--since {self.since!r} is no time: give a date such as 2026-11-01, or a time ago such as 12h, 7d or 2w") from None
        project = self.project or ""
        if project.startswith((".", "~")) or "/" in project or os.sep in project:
            project = str(Path(project).expanduser().resolve())
        return Choice(since_ms=since_ms, project=project, unreliable=self.include_unreliable)


def _options(function: F) -> F:
    """The options of every collection."""
    for option in reversed(
        (
            click.option("--since", metavar="DATE|7d", help="Only tasks that ended then or later: a date, or hours, days or weeks ago (12h, 7d, 2w)."),
            click.option("--project", metavar="PATH|NAME", help="Only tasks in this folder, or in a folder of this name. It never leaves this machine."),
            click.option("--dry-run", is_flag=True, help="Send nothing: show what would be sent."),
            click.option("--audit", is_flag=True, help="Send nothing: show for each number the file, the records and the rule that it comes from."),
            click.option("--watch", is_flag=True, help="Go on until Ctrl-C, and report each task once it has ended."),
            click.option("--include-unreliable", is_flag=True, help="Report also tasks whose token counts are known to be wrong in the log."),
            click.option(
                "--prices",
                type=click.Path(path_type=Path),
                metavar="FILE",
                envvar="MOSAIC_TELEMETRY_PRICES",
                help="Your own prices, which go before the list's.  [default: prices.toml in the user's configuration directory]"
                " [env: MOSAIC_TELEMETRY_PRICES]",
            ),
            click.option("--rescan", is_flag=True, help="Read everything again, also what earlier scans have dealt with."),
            server_options,
            database_option,
            click.option("--verbose", "-v", is_flag=True, help="Name each line that was skipped, and why."),
            json_option,
        )
    ):
        function = option(function)
    return function


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="All harnesses that are found at their usual places.")
@_options
@click.pass_context
def command(context: click.Context, /, *, everything: bool, **given: Any) -> None:
    """Turn a harness's own logs into events and report them.

    Only numbers and categories leave this machine: no prompt, no answer, no code, no path. `--dry-run --json` shows exactly what would.

    \b
    Examples:
      mosaic-telemetry collect --all --dry-run
      mosaic-telemetry collect --all --since 7d
      mosaic-telemetry collect --all --audit
      mosaic-telemetry collect claude-code --watch
    """
    if context.invoked_subcommand is not None:
        early = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if early:
            flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}
            named = " and ".join(flags[name] for name in early)
            raise click.UsageError(f"give {named} after the harness: mosaic-telemetry collect {context.invoked_subcommand} {named}")
    elif not (everything or given["audit"] or given["dry_run"]):
        click.echo(context.get_help())
    else:
        _run([(collector, None) for collector in COLLECTORS], _Options(**given), everything=True)


def _command_for(collector: Collector) -> click.Command:
    @click.command(collector.name, short_help=f"Sessions of {collector.title}.")
    @click.argument("path", required=False, type=click.Path(path_type=Path))
    @_options
    def collect(path: Path | None, **given: Any) -> None:
        _run([(collector, path)], _Options(**given))

    collect.help = f"""Report the finished tasks in sessions of {collector.title}, each only once.

    With --server they go there, without one into the database on this machine. PATH is the harness's folder, one of its folders
    of sessions, or one session file; without it, the usual places are searched.

    \b
    Examples:
      mosaic-telemetry collect {collector.name} --dry-run
      mosaic-telemetry collect {collector.name} --since 7d
      mosaic-telemetry collect {collector.name} --server http://localhost:8000
    """
    return collect


for _collector in COLLECTORS:
    command.add_command(_command_for(_collector))


def _run(wanted: Sequence[tuple[Collector, Path | None]], options: _Options, *, everything: bool = False) -> None:
    """Collect from these, once or for as long as the person wants."""
    choice = options.choice
    with _target(options) as target:
        if options.watch:
            from mosaic_telemetry.cli.watching import watch

            watch(wanted, choice, target, verbose=options.verbose, as_json=options.as_json)
            return
        reports = []
        for collector, path in wanted:
            files = _find(collector, path, everything=everything)
            if files:
                reports.append(_collect(collector, files, choice, target, options, everything=everything))
        if not reports:
            raise click.ClickException(
                f"none of {', '.join(collector.title for collector, _ in wanted)} keeps sessions at its usual place here: name one, with the folder as PATH"
            )
        if options.as_json and everything and target.sink is not None:
            print_json({"harnesses": [report.as_json() for report in reports]})
        if target.state is not None and target.state.problem:
            click.echo(f"What was read cannot be remembered, so that the next scan reads it again: {target.state.problem}", err=True)
    if any(report.delivery is not None and not report.delivery.complete for report in reports):
        raise click.exceptions.Exit(1)


def _collect(collector: Collector, files: Sequence[Path], choice: Choice, target: Target, options: _Options, *, everything: bool) -> Report:
    report = collect_from(collector, files, choice, target, verbose=options.verbose, now_ms=time.time_ns() // 1_000_000)
    if options.audit:
        _audit(report, choice, target, options, everything=everything)
    elif options.as_json and target.sink is None:
        for _, converted in report.events:
            click.echo(encode_event(converted.event))
    elif not options.as_json:
        show(report, target, brief=everything)
    elif not everything:
        print_json(report.as_json())
    return report


def _audit(report: Report, choice: Choice, target: Target, options: _Options, *, everything: bool) -> None:
    from mosaic_telemetry.cli.auditing import audit_as_json, show_audit

    found = audit_as_json(report, choice, target)
    if not options.as_json:
        show_audit(found, report.scan.collector.title)
    elif everything:
        click.echo(json.dumps(found))  # one harness a line
    else:
        print_json(found)


def _prices(options: _Options) -> PriceList | None:
    """The person's own prices: the file that is named, else the one at the usual place if there is one."""
    path = options.prices or usual_price_file(os.environ, Path.home())
    if options.prices is None and not path.exists():
        return None
    try:
        return load_prices(path)
    except PriceFileError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _target(options: _Options) -> Iterator[Target]:
    """Where the events go: nowhere, to a server, or into the database on this machine."""
    prices = _prices(options)
    if options.dry_run or options.audit:
        if options.watch:
            raise click.UsageError(f"--watch reports tasks as they end, {'--dry-run' if options.dry_run else '--audit'} reports none: give one of them")
        yield Target(None, options.instance_id or _NOBODY, None, prices, database=options.database)
        return
    if options.server or options.api_key or options.instance_id:
        sink, instance_id = _server(options.server, options.api_key, options.instance_id)
        name = f"{options.server} {instance_id}"
    else:
        from mosaic_telemetry.cli.local import LocalSink

        if not TelemetryConfig.from_env(server_url="http://localhost", api_key="-", instance_id="-").enabled:
            raise click.ClickException("telemetry is switched off by DO_NOT_TRACK or MOSAIC_TELEMETRY_ENABLED; --dry-run shows what would be reported")
        local = LocalSink(options.database)
        sink, instance_id = local, local.instance_id
        place = options.database.resolve() if isinstance(options.database, Path) else local.name
        name = f"{place} {instance_id}"
    with ScanState(state_file(os.environ, Path.home(), name)) as state:
        if options.rescan:
            state.forget()
        yield Target(sink, instance_id, state, prices, Projects(projects_file(place_of(options.database))), options.database)


def _server(server: str | None, api_key: str | None, instance_id: str | None) -> tuple[Any, str]:
    missing = [name for name, value in (("--server", server), ("--api-key", api_key), ("--instance-id", instance_id)) if not value]
    if not server or not api_key or not instance_id:
        raise click.ClickException(
            f"give {' and '.join(missing)} too to report to a server; without any of the three, events go into the database on this machine"
        )
    # Problems come back with the delivery; the SDK's own log lines would say them a second time.
    logging.getLogger("mosaic_telemetry").addHandler(logging.NullHandler())
    try:
        return ServerSink(server, api_key, instance_id), instance_id
    except ValidationError as error:
        raise click.ClickException("; ".join(map(str, error.errors))) from error


def _find(collector: Collector, path: Path | None, *, everything: bool) -> Sequence[Path]:
    places = [path] if path is not None else collector.places(os.environ, Path.home())
    try:
        files = [file for place in places for file in collector.find(place)]
    except OSError as error:
        raise click.ClickException(f"cannot read {error.filename}: {error.strerror}") from error
    if files or everything:
        return files
    if not places:
        raise click.ClickException(f"{collector.title} has no usual place: give the folder or the file as PATH")
    looked = " and ".join(f"{place}{'' if place.exists() else ' (does not exist)'}" for place in places)
    raise click.ClickException(f"no {collector.title} sessions found; looked in {looked}. Give the folder or the file as PATH")
