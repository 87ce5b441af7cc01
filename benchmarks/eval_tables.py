"""Turn public tables of tasks that coding agents really did into the form that `mosaic-telemetry backtest` reads.

    MOSAIC_TELEMETRY_TEST_DATA=… .venv/bin/python benchmarks/eval_tables.py OUT
    .venv/bin/mosaic-telemetry backtest OUT/*.jsonl.gz

The tables lie in the folder `eval` of the test data. What they do not say about a task is set by one rule for the whole table, which
stands at its function; nothing is read from a task's results that was not known before it ran.
"""

import argparse
import csv
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.kinds import type_from_prompt

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Turn the tables of the test data into the form that `mosaic-telemetry backtest` reads.")
    parser.add_argument("out", type=Path, help="folder for the tables")
    out = parser.parse_args().out
    data = os.environ.get("MOSAIC_TELEMETRY_TEST_DATA")
    if not data:
        sys.exit("set MOSAIC_TELEMETRY_TEST_DATA to the folder of the test data")
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in convert(Path(data) / "eval"):
        path = out / f"{name}.jsonl.gz"
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        print(f"{path}: {len(rows):,} tasks")


def convert(folder: Path) -> Iterator[tuple[str, list[Row]]]:
    """Each table's name and its rows."""
    for name, (file, read) in TABLES.items():
        yield name, [row for source in _source(folder / file) if (row := read(source))]


def _source(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        if ".csv" in path.suffixes:
            yield from csv.DictReader(file)
        else:
            yield from map(json.loads, file)


def openhands(source: Row) -> Row | None:
    """OpenHands Index. A benchmark is one kind of work; OpenHands reaches models through its own proxy, the other agents their vendor's interface.

    A cost of 0 is one that was not recorded.
    """
    kinds = {
        "swe-bench": ("debugging", "medium"),
        "swe-bench-multimodal": ("debugging", "high"),
        "swt-bench": ("testing", "medium"),
        "commit0": ("implementation", "critical"),
        "gaia": ("unknown", "medium"),
    }
    vendors = {"acp-claude": "anthropic", "acp-gemini": "google", "acp-codex": "openai"}
    task_type, complexity = kinds[source["benchmark"]]
    cost = _micros(source["cost_usd"])
    return cost and {
        "task_type": task_type,
        "complexity": complexity,
        "model": source["model"],
        "provider": vendors.get(source["agent"], "custom"),
        "group": source["task_id"],
        "actual_cost_usd_micros": cost,
    }


def bashkit(source: Row) -> Row:
    """Bashkit's small shell tasks."""
    return {
        "task_type": "implementation",
        "complexity": "low",
        "model": source["model"],
        "provider": source["provider"] if source["provider"] in {"anthropic", "openai"} else "openai",
        "group": source["task_id"],
        "timestamp": source["run_timestamp"],
        "actual_input_tokens": int(source["input_tokens"]),
        "actual_output_tokens": int(source["output_tokens"]),
        "task_duration_ms": int(source["duration_ms"]),
    }


def ts_bench(source: Row) -> Row:
    """Exercises in TypeScript, done by many agents; their time is that of the agent, not of the tests after it."""
    known = {"anthropic", "openai", "openrouter", "google", "mistral"}
    return {
        "task_type": "implementation",
        "complexity": "low",
        "model": source["model"],
        "provider": source["provider"] if source["provider"] in known else "custom",
        "group": source["exercise"],
        "timestamp": source["timestamp"],
        "task_duration_ms": int(source["agentDuration"]),
    }


def mini_swe_agent(source: Row) -> Row:
    """SWE-bench by one agent with one model: nothing to tell tasks apart by."""
    return {
        "task_type": "debugging",
        "complexity": "medium",
        "model": source["model"].removeprefix("@"),
        "provider": "openrouter",
        "group": source["task_id"],
        "actual_cost_usd_micros": _micros(source["cost_usd"]),
        "actual_input_tokens": int(source["prompt_tokens"]),
        "actual_output_tokens": int(source["completion_tokens"]),
        "task_duration_ms": int(source["duration_s"]) * 1000,
    }


def aider(source: Row) -> Row | None:
    """Attempts at SWE-bench tasks; attempts at the same task are no independent evidence."""
    return source["model"] and {
        "task_type": "debugging",
        "complexity": "medium",
        "model": source["model"],
        "provider": "openrouter" if source["model"].startswith("openrouter/") else "openai",
        "group": source["instance_id"],
        "actual_cost_usd_micros": _micros(source["cost_usd"]),
    }


def claude_code_turns(source: Row) -> Row:
    """Free-form turns with Claude Code: the kind of work is read from the prompt alone, the size is not known before."""
    return {
        "task_type": str(type_from_prompt(source["prompt"])),
        "complexity": "medium",
        "model": source["model"],
        "provider": source["provider"],
        "group": source["session_id"],
        "timestamp": source["started_at"],
        "actual_cost_usd_micros": _micros(source["cost_usd_est"]),
        "actual_input_tokens": source["input_tokens_total"],
        "actual_output_tokens": source["output_tokens_est"],
        "task_duration_ms": source["wall_ms"],
    }


def _micros(dollars: str | float) -> int | None:
    return round(float(dollars) * 1e6) or None if dollars not in {"", None} else None


TABLES: dict[str, tuple[str, Callable[[Row], Row | None]]] = {
    "openhands": ("openhands_index_instances.csv.gz", openhands),
    "bashkit": ("bashkit_eval_tasks.csv.gz", bashkit),
    "ts_bench": ("ts_bench.csv.gz", ts_bench),
    "mini_swe_agent": ("mini_swe_agent_gemini3pro.csv.gz", mini_swe_agent),
    "aider": ("aider_swebench_attempts.csv.gz", aider),
    "claude_code_turns": ("claude_code_turns_entireio.jsonl.gz", claude_code_turns),
}

if __name__ == "__main__":
    main()
