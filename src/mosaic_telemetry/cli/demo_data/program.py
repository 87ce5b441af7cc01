"""An instrumented program: an orchestrator that runs coding tasks and reports each one.

Where to report to comes from MOSAIC_TELEMETRY_SERVER_URL, MOSAIC_TELEMETRY_API_KEY and MOSAIC_TELEMETRY_INSTANCE_ID.
The model calls here are played: the numbers come from dice, with a fixed seed.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

from mosaic_telemetry import TelemetryClient, TelemetryConfig

MODEL = "claude-sonnet-4-5"


def play_agent(dice: random.Random) -> Iterator[tuple[int, int]]:
    """Input and output tokens of each model call of a played agent: the context grows with every turn."""
    context = 12_000
    for _ in range(dice.randint(3, 9)):
        written = round(dice.lognormvariate(5.5, 0.6))
        yield context, written
        context += written + round(dice.lognormvariate(7, 0.8))


def main() -> int:
    dice = random.Random(7)  # noqa: S311 - played numbers
    with TelemetryClient(TelemetryConfig.from_env()) as client:
        for _ in range(8):
            with client.task(
                task_type="debugging",
                complexity="low",
                harness="custom",
                model=MODEL,
                provider="anthropic",
                estimated_input_tokens=60_000,
                estimated_output_tokens=1_500,
                language="python",
            ) as task:
                for read, written in play_agent(dice):
                    task.add_usage(input_tokens=read, output_tokens=written, cost_usd=read * 3e-6 + written * 15e-6)
                # A real agent's time is measured; this one is only played, so it says how long it would have taken.
                task.set(task_duration_ms=dice.randint(4_000, 90_000))
                task.gate("test", passed=dice.random() < 0.8)
        client.flush()
        print(f"reported {client.stats.accepted} tasks")  # noqa: T201 - a program for the terminal
        return 0 if client.stats.accepted else 1


if __name__ == "__main__":
    sys.exit(main())
