"""`mosaic-telemetry backtest`: how would the forecasts have done?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mosaic_telemetry import figures
from mosaic_telemetry.cli.common import json_option, print_json
from mosaic_telemetry.cli.progress import LateBar, LateBytes

if TYPE_CHECKING:
    from mosaic_telemetry.cli.tables import TableFile
    from mosaic_telemetry.forecast.backtest import Split, Table, Verdict

__all__ = ["command"]

_PATH = click.Path(path_type=Path, exists=True, dir_okay=False)
_LABELS = {"now": "all known", "all": "every age"}
_COLUMNS = ("ours", "ladder", "cell", "global", "ours", "global", "ours", "ladder", "global", "ours")
_LEGEND = """\
within   % of tasks from p10 to p90; 80 is promised
loss     pinball loss (of logarithms), % against that of the ladder's raw quantiles; less is better
error    typical factor between median and truth; 1 is perfect
width    typical factor from p10 to p90
n        tasks known of exactly that kind (same type, model, provider and complexity)"""


@click.command()
@click.argument("files", nargs=-1, type=_PATH)
@click.option("--train", multiple=True, type=_PATH, metavar="FILE", help="Learn from this table instead of from folds. May be repeated.")
@click.option("--test", "tests", multiple=True, type=_PATH, metavar="FILE", help="Judge by this table, with --train. May be repeated.")
@click.option(
    "--by",
    type=click.Choice(["group", "time"]),
    default="group",
    show_default=True,
    help="Folds of unseen groups of tasks, or each part of the time by all before it.",
)
@click.option("--ages", type=click.IntRange(0, 100), help="Younger servers to judge beside the one that knows all.  [default: by the number of rows]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws folds and ages; the same seed gives the same figures.")
@json_option
def command(files: Sequence[Path], train: Sequence[Path], tests: Sequence[Path], by: str, ages: int | None, seed: int, *, as_json: bool) -> None:
    """Judge forecasts by tables of finished tasks, beside simpler ways to forecast.

    A table is JSON Lines or CSV, gzipped or not, with columns named as the event's fields: task_type, model, provider and complexity,
    and any of actual_input_tokens, actual_output_tokens, actual_cost_usd_micros and task_duration_ms. In folds, and with
    --train, rows with the same `group` (an exercise, a session) are never used to forecast each other; `timestamp` orders rows with
    --by time, where all earlier rows are known.

    \b
    Examples:
      mosaic-telemetry backtest tasks.csv
      mosaic-telemetry backtest --train january.jsonl.gz --test february.csv
    """
    _check(files, train, tests)
    tables = _read([*files, *train, *tests])
    with LateBar("judging") as bar:
        looks = _Looks(bar, len(files or tests))
        if files:
            verdicts = [(file.name, _judge([file], looks, by=by, known=0, ages=ages, seed=seed)) for file in tables]
        else:
            learned, known = _joined(tables[: len(train)]), sum(len(table.tasks) for table in tables[: len(train)])
            verdicts = [(file.name, _judge([learned, file], looks, by="source", known=known, ages=ages, seed=seed)) for file in tables[len(train) :]]
    if not any(found for _, found in verdicts):
        raise click.ClickException("too little to judge: no amount is known in enough rows; it takes at least 5 in other folds")
    if as_json:
        results = [
            {"name": name, "rows": len(file.tasks), "bad_rows": file.bad, "targets": {target: _figures(one) for target, one in found.items()}}
            for (name, found), file in zip(verdicts, tables[len(train) :], strict=True)
        ]
        print_json({"seed": seed, "by": by if files else "train", "data_sets": results})
        return
    _show(verdicts)


def _check(files: Sequence[Path], train: Sequence[Path], tests: Sequence[Path]) -> None:
    if files and (train or tests):
        raise click.UsageError("name tables to fold, or --train and --test, not both")
    if bool(train) != bool(tests):
        raise click.UsageError("--train and --test go together")
    if not files and not train:
        raise click.UsageError("name a table of finished tasks, or --train and --test")


def _read(paths: Sequence[Path]) -> list[TableFile]:
    """The tables; what is wrong with their rows goes to standard error."""
    from mosaic_telemetry.cli.tables import TableError, read_table

    tables = []
    for path in paths:
        try:
            with LateBytes("reading") as bar:
                tables.append(read_table(path, progress=bar.reach))
        except TableError as error:
            raise click.ClickException(str(error)) from error
        if bad := tables[-1].bad:
            click.echo(f"{path}: {bad} row{'s' if bad > 1 else ''} left out; {'; '.join(tables[-1].reasons)}", err=True)
    return tables


def _joined(tables: Sequence[TableFile]) -> TableFile:
    from mosaic_telemetry.cli.tables import TableFile

    return TableFile("+".join(table.name for table in tables), [task for table in tables for task in table.tasks])


class _Looks:
    """Adds the looks of all backtests up on one bar, as if each that is to come took as many as the one that runs."""

    def __init__(self, bar: LateBar, files: int) -> None:
        from mosaic_telemetry.forecast import TARGETS

        self._bar = bar
        self._left = files * len(TARGETS)
        self._before = self._most = 0

    def reach(self, done: int, most: int) -> None:
        """Note how far the backtest is that runs."""
        self._most = most
        self._bar.reach(self._before + done, self._before + most * self._left)

    def end(self) -> None:
        """Note that it is done."""
        self._before += self._most
        self._most = 0
        self._left -= 1


def _judge(files: Sequence[TableFile], looks: _Looks, *, by: str, known: int, ages: int | None, seed: int) -> dict[str, Verdict]:
    """The verdict on each target that the tables hold. With `by` "source", the first `known` tasks are learned from."""
    import dataclasses

    import numpy as np

    from mosaic_telemetry.forecast import TARGETS
    from mosaic_telemetry.forecast.backtest import Table, backtest

    tasks = [task for file in files for task in file.tasks]
    table = Table.of([dataclasses.replace(task, source=int(place >= known)) for place, task in enumerate(tasks)])
    found = {}
    for target in TARGETS:
        rng = np.random.default_rng(seed)
        try:
            splits = _splits(table, by, rng)
        except ValueError as error:
            raise click.ClickException(f"{files[-1].name}: {error}") from error
        verdict = backtest(table, target, splits, rng, ages, progress=looks.reach)
        looks.end()
        if verdict and verdict.scores["pooled", "all"].forecasts:
            found[target] = verdict
    return found


def _splits(table: Table, by: str, rng: Any) -> Sequence[Split]:
    from mosaic_telemetry.forecast.backtest import by_group, by_source, by_time

    if by == "source":
        return by_source(table, known=0, judged=1)
    return by_time(table) if by == "time" else by_group(table, rng)


def _figures(verdict: Verdict) -> dict[str, Any]:
    return {
        "tasks": verdict.tasks,
        "constants": [
            {"median": one.median, "shape": one.shape, "tail": None if math.isinf(one.tail) else one.tail, "rounds": count}
            for one, count in verdict.constants.most_common()
        ],
        "views": {
            view: {method: score.to_dict() for (method, there), score in verdict.scores.items() if there == view and score.forecasts}
            for view in dict.fromkeys(view for _, view in verdict.scores)
            if verdict.scores["pooled", view].forecasts
        },
    }


def _show(verdicts: Sequence[tuple[str, dict[str, Verdict]]]) -> None:
    for name, found in verdicts:
        for target, verdict in found.items():
            one, _ = verdict.constants.most_common(1)[0]
            learned = f"k = {one.median:g}, s = {one.shape:g}{'' if math.isinf(one.tail) else f', t = {one.tail:g}'}"
            click.echo(f"{name}: {figures.TARGETS[target]}, {verdict.tasks:,} tasks judged (most often learned: {learned})")
            for line in _page(verdict):
                click.echo(line)
            click.echo()
    click.echo(_LEGEND)


def _page(verdict: Verdict) -> list[str]:
    from mosaic_telemetry.forecast.backtest import VIEWS

    form = "{:<9} {:>9} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}"
    page = [form.format("", "", "within", "", "", "", "loss", "", "error", "", "", "width"), form.format("", "forecasts", *_COLUMNS)]
    for view in VIEWS:
        ours, ladder, cell, widest = (verdict.scores[method, view] for method in ("pooled", "ladder", "cell", "global"))
        if not ours.forecasts:
            continue
        page.append(
            form.format(
                _LABELS.get(view, f"n {view}"),
                f"{ours.forecasts:,}",
                *(_percent(score.coverage) for score in (ours, ladder, cell, widest)),
                *(_change(score.pinball, ladder.pinball) for score in (ours, widest)),
                *("-" if score.factor_error is None else f"{score.factor_error:.3f}" for score in (ours, ladder, widest)),
                "-" if ours.sharpness is None else f"{ours.sharpness:.1f}",
            )
        )
    return page


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f}"


def _change(value: float | None, base: float | None) -> str:
    return "-" if not value or not base else f"{(value / base - 1) * 100:+.1f}"
