"""Progress of long reading, on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import click

from mosaic_telemetry.collectors import Skipped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["ProgressWatcher"]


class ProgressWatcher:
    """Shows progress on a terminal once reading takes more than a second, and names skipped lines where that is wanted."""

    _DELAY = 1.0

    def __init__(self, *, verbose: bool, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._total = 0
        self._verbose = verbose
        self._clock = clock
        self._started = clock()
        self._done = 0
        self._bar: tuple[Progress, TaskID] | None = None

    def expect(self, size: int) -> None:
        """Note bytes that are going to be read."""
        self._total += size
        if self._bar is not None:
            self._bar[0].update(self._bar[1], total=self._total)

    def advance(self, size: int) -> None:
        """Note bytes read."""
        self._done += size
        if self._bar is None and (self._console or sys.stderr.isatty()) and self._clock() - self._started > self._DELAY:
            self._bar = self._show()
        if self._bar is not None:
            self._bar[0].update(self._bar[1], completed=self._done)

    def skip(self, skipped: Skipped) -> None:
        """Name what was skipped."""
        if self._verbose:
            click.echo(f"skipped {skipped}", err=True)

    def _show(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

        columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=self._console or Console(stderr=True), transient=True)
        bar.start()
        return bar, bar.add_task("reading", total=self._total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar[0].stop()
