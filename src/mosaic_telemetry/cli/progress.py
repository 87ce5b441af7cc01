"""Progress of what takes long, on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import click

from mosaic_telemetry.collectors import Skipped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, TaskID

    from mosaic_telemetry.engine import Engine

__all__ = ["LateBar", "LateBytes", "ProgressWatcher", "counted"]


class LateBar:
    """Shows progress on a terminal, with rate and time left, once work takes more than a second.

    Args:
        word: what is being done, as in "reading".
        console: where to show it, instead of standard error where that is a terminal.
        clock: seconds that only rise.
    """

    _DELAY = 1.0

    def __init__(self, word: str, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._word = word
        self._console = console
        self._total = 0
        self._clock = clock
        self._started = clock()
        self._done = 0
        self._bar: tuple[Progress, TaskID] | None = None

    def expect(self, size: int) -> None:
        """Note what is going to be done, beside what is known already."""
        self._total += size
        if self._bar is not None:
            self._bar[0].update(self._bar[1], total=self._total)

    def advance(self, size: int) -> None:
        """Note what was done."""
        self._done += size
        if self._bar is None and (self._console or sys.stderr.isatty()) and self._clock() - self._started > self._DELAY:
            self._bar = self._show()
        elif self._bar is not None:
            self._bar[0].update(self._bar[1], completed=self._done)

    def reach(self, done: int, total: int) -> None:
        """Note how much is done by now, of how much; when that is all, nothing is shown any more."""
        self.expect(total - self._total)
        self.advance(done - self._done)
        if done >= total:
            self._hide()

    def _columns(self) -> Sequence[ProgressColumn]:
        """Amount, rate and time left; of things that are counted."""
        from rich.progress import ProgressColumn, Task, TimeRemainingColumn
        from rich.text import Text

        class Counted(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(f"{task.completed:,.0f} of {task.total or 0:,.0f}, {task.speed or 0:,.0f}/s")

        return Counted(), TimeRemainingColumn()

    def _show(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        bar = Progress(TextColumn(self._word), BarColumn(), *self._columns(), console=self._console or Console(stderr=True), transient=True)
        bar.start()
        return bar, bar.add_task(self._word, total=self._total, completed=self._done)  # what came before the bar would look like speed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hide()

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None


def counted(engine: Engine) -> None:
    """Let the engine's predictions count all that is stored, with progress where that is much."""
    with LateBar("counting") as bar:
        engine.roll_up(bar.reach)


class LateBytes(LateBar):
    """The same of bytes."""

    def _columns(self) -> Sequence[ProgressColumn]:
        from rich.progress import DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

        return DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()


class ProgressWatcher(LateBytes):
    """Shows how much of its files a scan has read, in bytes, and names skipped lines where that is wanted."""

    def __init__(self, *, verbose: bool, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("reading", console, clock)
        self._verbose = verbose

    def skip(self, skipped: Skipped) -> None:
        """Name what was skipped."""
        if self._verbose:
            click.echo(f"skipped {skipped}", err=True)
