"""Numbers as a person reads them: in the terminal and on pages."""

from __future__ import annotations

__all__ = ["TARGETS", "cost", "count", "duration", "share"]

TARGETS = {
    "actual_input_tokens": "input tokens",
    "actual_output_tokens": "output tokens",
    "actual_cost_usd_micros": "cost",
    "task_duration_ms": "time",
}
"""What is forecast, by its field, in words."""


def count(value: float) -> str:
    """A number of tokens: 950, 12.3k, 4.56M."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        # 999,950 would round up to 1000.0k: it is 1M.
        if value >= limit * 0.9995:
            scaled = value / limit
            return f"{scaled:.3g}{unit}" if scaled < 1000 else f"{scaled:,.0f}{unit}"
    return f"{value:.0f}"


def cost(micros: float | None) -> str:
    """Micro-dollars as dollars: $0.0042, $0.13, $12.50; "unknown" for None, which is not $0."""
    if micros is None:
        return "unknown"
    dollars = micros / 1e6
    if dollars == 0:
        return "$0"
    if dollars < 0.0001:
        return "under $0.0001"
    return f"${dollars:.4f}" if dollars < 0.1 else f"${dollars:,.2f}"


def duration(milliseconds: float) -> str:
    """A time: 850 ms, 12.3 s, 4 min 5 s, 2 h, 2 h 10 min, 12 d 3 h."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return _in_two(whole, 60, "min", "s")
    minutes = round(whole / 60)
    if minutes < 48 * 60:
        return _in_two(minutes, 60, "h", "min")
    return _in_two(round(minutes / 60), 24, "d", "h")


def _in_two(amount: int, size: int, unit: str, rest: str) -> str:
    """An amount in a unit, and what is left of it in the next smaller one."""
    return f"{amount // size} {unit} {amount % size} {rest}" if amount % size else f"{amount // size} {unit}"


def share(value: float) -> str:
    """A share from 0 to 1 in per cent."""
    return f"{value * 100:.0f} %"
