"""Markdown tables, and the small statistics behind them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the ordered values lie."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def ratio(value: float, best: float) -> str:
    """A value beside the best peer's, such as `0.62x`."""
    return f"{value / best:.2f}x" if best else "-"


def arguments(text: str | None, *, rounds: tuple[int, int] | None = None, choices: Sequence[str] = ()) -> argparse.Namespace:
    """What the scripts understand: `--quick`, and `--rounds` or `--only` where there are such.

    Args:
        text: the script's own description.
        rounds: rounds without and with `--quick`.
        choices: what can be measured alone.
    """
    parser = argparse.ArgumentParser(description=(text or "").strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: to see that it runs, not to quote")
    if rounds:
        parser.add_argument("--rounds", type=int, help=f"rounds; {rounds[0]} without it, {rounds[1]} with --quick")
    if choices:
        parser.add_argument("--only", choices=choices, help="measure this alone")
    given = parser.parse_args()
    if rounds and given.rounds is None:
        given.rounds = rounds[given.quick]
    return given
