"""Draw the figures of docs/predictions.md, and write its tables, from what `mosaic-telemetry backtest --json` printed.

    MOSAIC_TELEMETRY_TEST_DATA=… .venv/bin/python benchmarks/eval_tables.py OUT
    .venv/bin/mosaic-telemetry backtest --json OUT/*.jsonl.gz > figures.json
    python3 -m venv .venvs/figures && .venvs/figures/bin/python -m pip install matplotlib
    .venvs/figures/bin/python benchmarks/eval_figures.py figures.json

Needs matplotlib and nothing of this project, so that it can have an environment of its own.
"""

import json
import re
import sys
from pathlib import Path
from statistics import mean
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
NAMES = {"actual_cost_usd_micros": "cost", "actual_input_tokens": "input tokens", "actual_output_tokens": "output tokens", "task_duration_ms": "time"}
SIZES = ("1-4", "5-9", "10-29", "30-99", "100+")
METHODS = {"pooled": ("ours", "#1b6ca8"), "ladder": ("ladder, raw", "#d1662f"), "cell": ("exact cell, raw", "#8a8a8a")}

TIMES, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"

Views = dict[str, dict[str, dict[str, float]]]


def main() -> None:
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    verdicts = {(found["name"], target): one["views"] for found in results["data_sets"] for target, one in found["targets"].items()}
    draw(verdicts)
    page = DOCS / "predictions.md"
    text = page.read_text(encoding="utf-8")
    tables = {"goals": goals(verdicts), "targets": by_target(verdicts), "sizes": by_size(verdicts), "cells": by_cell(verdicts), "shipped": shipped(verdicts)}
    for name, table in tables.items():
        text = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda found, table=table: found[1] + table + found[2], text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


def goals(verdicts: dict[tuple[str, str], Views]) -> str:
    """What the losses come to in one figure, by each way to say it."""
    lines = [
        "| loss of ours | against the hard ladder | the same, n < 10 | against the ladder of five | the same, n < 10 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for label, method, alike in (
        ("every forecast counts alike", "pooled", False),
        ("every table counts alike", "pooled", True),
        ("if all were known, every forecast", "grown", False),
        ("if all were known, every table", "grown", True),
    ):
        found = [overall(verdicts, method, baseline, view, alike=alike) for baseline in ("hard", "ladder") for view in ("all", "1-9")]
        lines.append(f"| {label} | {' | '.join(f'{(one - 1) * 100:+.1f} %' for one in found)} |")
    return "\n".join(lines) + "\n"


def overall(verdicts: dict[tuple[str, str], Views], method: str, baseline: str, view: str, *, alike: bool) -> float:
    """The loss of one method over that of another: of all forecasts together, or the mean over tables of the mean over their targets."""
    found: dict[str, list[tuple[float, float]]] = {}
    for (name, _), views in verdicts.items():
        if method in views.get(view, {}):
            ours, theirs = views[view][method], views[view][baseline]
            # An exact cell without values says nothing: what it would have lost there is taken to be as elsewhere.
            found.setdefault(name, []).append((ours["pinball"] * ours["forecasts"], theirs["pinball"] * ours["forecasts"]))
    if alike:
        return mean([mean([ours / theirs for ours, theirs in pairs]) for pairs in found.values()])
    pairs = [pair for several in found.values() for pair in several]
    return sum(ours for ours, _ in pairs) / sum(theirs for _, theirs in pairs)


def by_target(verdicts: dict[tuple[str, str], Views]) -> str:
    lines = [
        "| table | target | forecasts | within p10 to p90 | ladder | loss against the ladder | the same, n < 10 | error | ladder | global | width |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (name, target), views in verdicts.items():
        now, ages = views["now"], views["all"]
        lines.append(
            f"| {name} | {NAMES[target]} | {ages['pooled']['forecasts']:,} | {percent(ages['pooled'])} | {percent(ages['ladder'])} "
            f"| {change(views, 'all')} | {change(views, '1-9')} | {TIMES}{now['pooled']['factor_error']:.2f} | {TIMES}{now['ladder']['factor_error']:.2f} "
            f"| {TIMES}{now['global']['factor_error']:.2f} | {TIMES}{now['pooled']['sharpness']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def by_size(verdicts: dict[tuple[str, str], Views]) -> str:
    lines = [
        "| known of exactly that kind | forecasts | ours | ladder | exact cell | loss against the ladder | if all were known | loss against the exact cell |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for size in SIZES:
        total = {method: together(verdicts, method, size) for method in METHODS}
        pairs = (("pooled", "ladder"), ("grown", "ladder"), ("pooled", "cell"))
        losses = " | ".join(f"{(overall(verdicts, one, other, size, alike=False) - 1) * 100:+.1f} %" for one, other in pairs)
        shares = " | ".join(percent(total[method]) for method in METHODS)
        lines.append(f"| {size.replace('-', DASH)} | {total['pooled']['forecasts']:,.0f} | {shares} | {losses} |")
    return "\n".join(lines) + "\n"


def by_cell(verdicts: dict[tuple[str, str], Views]) -> str:
    lines = ["| table | target | " + " | ".join(f"n {size.replace('-', DASH)}" for size in SIZES) + " |", "| --- | --- |" + " ---: |" * len(SIZES)]
    for (name, target), views in verdicts.items():
        shown = [f"{percent(views[size]['pooled'])}, {change(views, size)}" if size in views else DASH for size in SIZES]
        lines.append(f"| {name} | {NAMES[target]} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def shipped(verdicts: dict[tuple[str, str], Views]) -> str:
    lines = [
        "| table | target | within p10 to p90 | the same, n < 10 | loss against the ladder | the same, n < 10 |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for (name, target), views in verdicts.items():
        ages, few = views["all"], views["1-9"]
        losses = [f"{(view['default']['pinball'] / view['ladder']['pinball'] - 1) * 100:+.1f} %" for view in (ages, few)]
        lines.append(f"| {name} | {NAMES[target]} | {percent(ages['default'])} | {percent(few['default'])} | {' | '.join(losses)} |")
    return "\n".join(lines) + "\n"


def together(verdicts: dict[tuple[str, str], Views], method: str, view: str) -> dict[str, Any]:
    """The figures of all tables and targets, each forecast counted once."""
    scores = [views[view][method] for views in verdicts.values() if view in views]
    many = sum(score["forecasts"] for score in scores)
    return {"forecasts": many, **{key: sum(score[key] * score["forecasts"] for score in scores) / many for key in ("coverage", "pinball")}}


def percent(score: dict[str, float]) -> str:
    return f"{score['coverage'] * 100:.1f} %"


def change(views: Views, view: str) -> str:
    return f"{(views[view]['pooled']['pinball'] / views[view]['ladder']['pinball'] - 1) * 100:+.1f} %" if view in views else DASH


def draw(verdicts: dict[tuple[str, str], Views]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 10, "svg.hashsalt": "predictions", "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for method, (label, colour) in METHODS.items():
        rows = [[views[size][method]["coverage"] * 100 for views in verdicts.values() if size in views and method in views[size]] for size in SIZES]
        left.fill_between(SIZES, [min(row) for row in rows], [max(row) for row in rows], color=colour, alpha=0.15, linewidth=0)
        left.plot(SIZES, [together(verdicts, method, size)["coverage"] * 100 for size in SIZES], color=colour, marker="o", label=label)
    left.axhline(80, color="black", linewidth=0.8, linestyle=":")
    left.set(title="Calibration: tasks from p10 to p90, 80 % promised", xlabel="tasks known of exactly that kind", ylabel="%", ylim=(0, 100))
    left.legend(frameon=False, loc="lower right")
    for (name, target), views in verdicts.items():
        sizes = [size for size in SIZES if size in views]
        losses = [(views[size]["pooled"]["pinball"] / views[size]["ladder"]["pinball"] - 1) * 100 for size in sizes]
        thick = name == "openhands"
        right.plot(sizes, losses, color="#1b6ca8" if thick else "#8a8a8a", linewidth=2.5 if thick else 0.8, label=f"{name}, {NAMES[target]}" if thick else None)
    right.plot([], [], color="#8a8a8a", linewidth=0.8, label="the other tables and targets")
    right.axhline(0, color="black", linewidth=0.8, linestyle=":")
    right.set(title="Pinball loss against the ladder's raw quantiles", xlabel="tasks known of exactly that kind", ylabel="%")
    right.legend(frameon=False, loc="lower right")
    (DOCS / "images").mkdir(exist_ok=True)
    figure.savefig(DOCS / "images" / "predictions.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
