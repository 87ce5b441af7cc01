"""`mosaic-telemetry export`: the events of a database as CSV, JSON Lines or Parquet."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from mosaic_telemetry.cli.common import Database, database_option, is_missing, json_option, print_json
from mosaic_telemetry.cli.report import DayParam

if TYPE_CHECKING:
    from mosaic_telemetry.cli.export_formats import Rows

__all__ = ["command"]

_FORMS = ("csv", "jsonl", "parquet")


@click.command()
@click.option("--format", "form", type=click.Choice(_FORMS), help="Form of the output.  [default: by the ending of --output, else jsonl]")
@click.option("--since", type=DayParam(), metavar="DAY", help="First day: 2026-02-07, or 30d for the last 30 days.  [default: the first there is]")
@click.option("--until", type=DayParam(), metavar="DAY", help="Last day.  [default: the last there is]")
@click.option("--instance", metavar="UUID|NAME", help="Events of this instance alone.")
@click.option("--output", default="-", show_default="standard output", metavar="FILE", help="File to write; - for standard output.")
@click.option("--force", is_flag=True, help="Take the place of a file that is there.")
@database_option
@json_option
def command(
    form: str | None,
    since: date | None,
    until: date | None,
    instance: str | None,
    output: str,
    database: Database,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Write the events of the database on this machine, in the fields of the API; also while a server runs.

    Days are those on which tasks ended, in UTC. In CSV, lists and truth values are written as JSON, and null as nothing. JSON Lines and
    CSV are what `backtest` reads. Parquet takes the extra [parquet], and a file. With --json, says on standard output
    what was written to the file.

    \b
    Examples:
      mosaic-telemetry export --since 30d > tasks.jsonl
      mosaic-telemetry export --output tasks.csv
      mosaic-telemetry export --output tasks.parquet --instance laptop
    """
    path = None if output == "-" else Path(output)
    form = form or _by_ending(path)
    if path is None and form == "parquet":
        raise click.UsageError("Parquet is written to a file: name it with --output")
    if path is None and as_json:
        raise click.UsageError("--json says what was written to a file: name it with --output")
    if is_missing(database):
        raise click.ClickException(f"no database at {database}: fill it with `mosaic-telemetry collect --all`, or name one with --database")
    from mosaic_telemetry.cli.export_formats import STREAMS, write_file

    with _in_one_line(path), _Source(database, _bounds(since, until), instance) as source:
        if path is None:
            STREAMS[form](source.rows(), sys.stdout.buffer)
            return
        with _in_place_of(path, force=force) as beside:
            write_file(form, source.rows(), beside)
    if as_json:
        print_json({"output": str(path), "format": form, "events": source.events, "bytes": path.stat().st_size})
    else:
        click.echo(f"{source.events:,} event{'s' if source.events != 1 else ''} in {path}, {path.stat().st_size:,} bytes")


class _Source:
    """The wanted events, with progress on a terminal that shows nothing else; counts them."""

    def __init__(self, database: Database, bounds: tuple[float, float], instance: str | None) -> None:
        from mosaic_telemetry.cli.progress import LateBar
        from mosaic_telemetry.engine.exporting import Wanted

        self._database = database
        self._wanted = Wanted(*bounds, instance)
        self._bar = LateBar("reading")
        self.events = 0

    def rows(self) -> Rows:
        """The events, some at a time."""
        from mosaic_telemetry.engine.exporting import export_events

        for some in export_events(self._database, self._wanted, self._bar.reach):
            self.events += len(some)
            yield some

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__()


def _by_ending(path: Path | None) -> str:
    ending = path.suffix[1:].lower() if path else ""
    return ending if ending in _FORMS else "jsonl"


def _bounds(since: date | None, until: date | None) -> tuple[float, float]:
    """The first millisecond of the first day, and the one after the last day."""
    first = float("-inf") if since is None else _start(since)
    end = float("inf") if until is None else _start(until + timedelta(days=1))
    if first >= end:
        raise click.UsageError(f"--since {since} is after --until {until}")
    return first, end


def _start(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000


@contextmanager
def _in_place_of(path: Path, *, force: bool) -> Iterator[Path]:
    """A new file beside the one that is meant, which takes its place when it is complete."""
    if path.exists() and not force:
        raise click.ClickException(f"{path} is there already: name another file, or give --force")
    made, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(made)
    beside = Path(name)
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _in_one_line(path: Path | None) -> Iterator[None]:
    from mosaic_telemetry.engine import DatabaseError, UnknownInstanceError

    try:
        yield
    except (DatabaseError, UnknownInstanceError) as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:  # click ends quietly
        raise
    except OSError as error:
        raise click.ClickException(f"cannot write {path or 'to standard output'}: {error.strerror or error}") from error
