"""An asyncio program that runs tasks side by side; reporting never blocks its event loop."""

import asyncio

from mosaic_telemetry import TelemetryClient, TelemetryConfig, current_task


async def run_agent(number: int) -> str:
    """Stands for your agent; it finds the task that it runs in without being handed it."""
    await asyncio.sleep(0.01)
    task = current_task()
    if task is not None:
        task.add_usage(input_tokens=9_000 + number, output_tokens=300)
    return f"answer {number}"


async def main() -> None:
    async with TelemetryClient(TelemetryConfig.from_env()) as client:
        tracked = client.task(task_type="code_review", complexity="low", model="gpt-5", provider="openai")(run_agent)
        await asyncio.gather(*(tracked(number) for number in range(5)))
        await client.aflush()
        print("accepted:", client.stats.accepted)


if __name__ == "__main__":
    asyncio.run(main())
