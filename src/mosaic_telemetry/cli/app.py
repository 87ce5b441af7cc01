"""The command tree. A command's module is imported only when it is asked for, so that each starts as fast as it can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import click

from mosaic_telemetry._version import __version__

__all__ = ["COMMANDS", "app"]

# Command to (module, one line of help). The line stands here so that `--help` of the whole need not import them all.
COMMANDS = {
    "admin": ("mosaic_telemetry.cli.admin", "Issue instances and API keys."),
    "backtest": ("mosaic_telemetry.cli.backtest", "Judge forecasts by tables of finished tasks."),
    "budget": ("mosaic_telemetry.cli.budget", "Will a task stay within a budget, and how much is still to come?"),
    "collect": ("mosaic_telemetry.cli.collect", "Turn a harness's own logs into events and report them."),
    "compare": ("mosaic_telemetry.cli.compare", "Which model is cheapest per success?"),
    "config": ("mosaic_telemetry.cli.config", "Show every setting and where it comes from."),
    "demo": ("mosaic_telemetry.cli.demo", "See the whole loop on recorded sessions: report, collect, predict."),
    "doctor": ("mosaic_telemetry.cli.doctor", "Show the harnesses on this machine, and what waits in the spool."),
    "erase": ("mosaic_telemetry.cli.erase", "Take back what an instance has reported."),
    "export": ("mosaic_telemetry.cli.export", "Write the events of a database as CSV, JSON Lines or Parquet."),
    "flush": ("mosaic_telemetry.cli.flush", "Send what waits in the spool."),
    "hook": ("mosaic_telemetry.cli.hook", "Report each task the moment that it is finished, from the harness's own hooks."),
    "mcp": ("mosaic_telemetry.cli.mcp", "Let agents ask before they start, over the Model Context Protocol."),
    "predict": ("mosaic_telemetry.cli.predict", "What will a task cost, how long will it take, will it succeed?"),
    "report": ("mosaic_telemetry.cli.report", "Where did the money go: spend, tokens, tasks, success."),
    "serve": ("mosaic_telemetry.cli.serve", "Run the server."),
    "statusline": ("mosaic_telemetry.cli.statusline", "Print a status line for Claude Code."),
}


_EXTRAS = {"arro3": "parquet", "cryptography": "federation", "genai_prices": "cli", "mcp": "mcp", "opentelemetry": "tracing", "rich": "cli"} | dict.fromkeys(
    ("apsw", "msgspec", "numpy", "starlette", "uvicorn"), "server"
)


class _LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports a command when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and ctx.resilient_parsing:  # a shell completes a line
            return None
        if cmd_name not in COMMANDS:
            near = get_close_matches(cmd_name, COMMANDS, 1)
            ctx.fail(f"there is no command {cmd_name!r}{f' (did you mean {near[0]!r}?)' if near else ''}")
        with _naming_the_extra():
            command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any) -> click.Context:
        with _in_one_line():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _in_one_line(), _naming_the_extra():  # a command imports what is heavy when it runs
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(130)  # as shells say of SIGINT; click's own answer is 1, which is an error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in sorted(COMMANDS.items())])


class _Misuse(click.UsageError):
    """Wrong usage, told in one line that ends with where to read on: click's own message has a head of two lines, and a list where there are choices."""

    def show(self, file: IO[Any] | None = None) -> None:
        text = " ".join(self.message.replace(". (Did", " (did").split()).rstrip(".")
        click.echo(f"Error: {text}; see `{self.ctx.command_path if self.ctx else 'mosaic-telemetry'} --help`", file=file, err=file is None)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except (_Misuse, click.exceptions.NoArgsIsHelpError):
        raise
    except click.UsageError as error:
        raise _Misuse(error.format_message(), error.ctx) from error


@contextmanager
def _naming_the_extra() -> Iterator[None]:
    """One line that says what to install, where a command needs a package that is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "mosaic_telemetry":
            raise
        extra = _EXTRAS.get(missing, "all")
        raise click.ClickException(f"this command needs the package {missing}: pip install 'mosaic-telemetry[{extra}]'") from error


@click.group(cls=_LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mosaic-telemetry")
@click.option("--json", "as_json", is_flag=True, help="Without a command: print JSON instead of text for a person.")
@click.pass_context
def app(context: click.Context, *, as_json: bool) -> None:
    """Know what an AI coding task will cost, how long it takes and whether it succeeds, before it is run.

    Without a command it says what it found on this machine, and what to type next. Ends with 0 when done, 1 for an error, 2 for wrong usage, 130 on Ctrl-C.

    \b
    Examples:
      mosaic-telemetry
      mosaic-telemetry collect --all
      mosaic-telemetry report
    """
    if context.invoked_subcommand is None:
        from mosaic_telemetry.cli.welcome import welcome

        welcome(os.environ, Path.home(), as_json=as_json)
    elif as_json:
        raise click.UsageError(f"--json goes behind the command: mosaic-telemetry {context.invoked_subcommand} --json")
