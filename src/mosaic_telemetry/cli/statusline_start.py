"""`mosaic-telemetry statusline`: one line for the foot of Claude Code, from its JSON and the database on this machine.

Claude Code runs it at every turn and waits for it: so it imports nothing that reading a few sums does not need, opens no
connection to anywhere, and prints what it can whatever is missing or broken.

The JSON's form is that of https://docs.claude.com/en/docs/claude-code/statusline.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from mosaic_telemetry import figures
from mosaic_telemetry.cli.places import database_path

__all__ = ["facts", "line", "main"]

_LARGEST = 1 << 20
_WAIT = 0.02  # seconds for a database that is being written
_DAY = 86_400
_DAYS = 30
_FEWEST = 5  # tasks from which on a rate is said
_LONGEST_NAME = 40
_SUMS = """
SELECT coalesce(sum(CASE WHEN day = ?1 THEN cost_usd_micros END), 0),
       coalesce(sum(CASE WHEN mine THEN events END), 0), coalesce(sum(CASE WHEN mine THEN successes END), 0),
       coalesce(sum(CASE WHEN mine THEN priced_successes END), 0), coalesce(sum(CASE WHEN mine THEN cost_usd_micros END), 0)
FROM (SELECT *, model IN (SELECT number FROM texts WHERE lower(trim(text)) = ?3) AS mine FROM daily_totals WHERE day > ?1 - ?2 AND day <= ?1)
"""


def main(*, as_json: bool = False) -> int:
    """Read the JSON on standard input, print the line, or what it is made of as JSON; returns 0 whatever happens."""
    try:
        payload = json.loads(sys.stdin.buffer.read(_LARGEST))
    except (ValueError, RecursionError):
        payload = {}
    database = os.environ.get("MOSAIC_TELEMETRY_DATABASE") or database_path()
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # standard output is a text file
    found = facts(payload, database, time.time())
    sys.stdout.write((json.dumps(found) if as_json else line(found)) + "\n")
    return 0


def facts(payload: Any, database: str, now: float) -> dict[str, Any]:
    """What the line is made of: costs in micro-dollars, None where one is not known; time in milliseconds.

    Args:
        payload: what Claude Code sent.
        database: path of the local database.
        now: the time, in seconds since 1970.
    """
    model, cost = _part(payload, "model"), _part(payload, "cost")
    identity = _text(model.get("id"))
    spent, lasted = _number(cost.get("total_cost_usd")), _number(cost.get("total_duration_ms"))
    today, tasks, successes, priced, micros = _sums(database, identity.strip().lower(), int(now // _DAY))
    return {
        "model": _text(model.get("display_name")) or identity,
        "session_cost_usd_micros": round(spent * 1e6) if spent else None,
        "session_duration_ms": round(lasted) if lasted else None,
        "today_cost_usd_micros": today,
        "days": _DAYS,
        "tasks": tasks,
        "successes": successes,
        "cost_per_success_usd_micros": round(micros / priced) if priced and micros else None,
    }


def line(found: dict[str, Any]) -> str:
    """The line, of facts."""
    parts = [found["model"]]
    if spent := found["session_cost_usd_micros"]:
        lasted = found["session_duration_ms"]
        parts.append(f"{figures.cost(spent)} this session" + (f", {figures.duration(lasted)}" if lasted else ""))
    if today := found["today_cost_usd_micros"]:
        parts.append(f"{figures.cost(today)} today")
    if (tasks := found["tasks"]) >= _FEWEST:
        each = found["cost_per_success_usd_micros"]
        per_success = f"{figures.cost(each)} per success, " if each else ""
        parts.append(f"{per_success}{figures.share(found['successes'] / tasks)} of {tasks:,} tasks in {found['days']} days")
    return " · ".join(part for part in parts if part)


def _sums(database: str, model: str, day: int) -> tuple[int, int, int, int, int]:
    """Today's cost; and of a model, in the last 30 days, tasks, successes, those with a price, and cost. Zeros where they cannot be read."""
    nothing = (0, 0, 0, 0, 0)
    if not os.path.exists(database):
        return nothing
    import sqlite3
    from urllib.parse import quote

    try:
        connection = sqlite3.connect(f"file:{quote(os.path.abspath(database))}?mode=ro", uri=True, timeout=_WAIT)
        try:
            found: tuple[int, int, int, int, int] = connection.execute(_SUMS, (day, _DAYS, model)).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return nothing
    return found


def _part(payload: Any, name: str) -> dict[str, Any]:
    part = payload.get(name) if isinstance(payload, dict) else None
    return part if isinstance(part, dict) else {}


def _text(value: Any) -> str:
    """A name for the line: nothing in it that a terminal would obey."""
    return "".join(letter for letter in value if letter.isprintable())[:_LONGEST_NAME] if isinstance(value, str) else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e12 else 0.0
