"""A plain script that runs coding tasks and reports each: MOSAIC_TELEMETRY_SERVER_URL, _API_KEY and _INSTANCE_ID say where to."""

from mosaic_telemetry import PredictionQuery, TaskType, TelemetryClient, TelemetryConfig
from mosaic_telemetry.schema import Complexity, Provider

MODEL = "claude-sonnet-4-5"


def call_model(prompt: str) -> tuple[str, int, int]:
    """Stands for your model call: the answer, input tokens and output tokens."""
    return f"done: {prompt}", 12_000 + len(prompt), 450


def main() -> None:
    with TelemetryClient(TelemetryConfig.from_env()) as client:
        query = PredictionQuery(task_type=TaskType.REFACTORING, model=MODEL, provider=Provider.ANTHROPIC, complexity=Complexity.LOW)
        client.refresh_predictions([query])
        answer = client.get_prediction(query)
        if answer and answer.prediction:
            print("such a task usually reads", answer.prediction.input_tokens.median, "tokens")

        for prompt in ("rename the module", "split the function"):
            with client.task(task_type="refactoring", complexity="low", model=MODEL, provider="anthropic") as task:
                _, read, written = call_model(prompt)
                task.add_usage(input_tokens=read, output_tokens=written, cost_usd=read * 3e-6 + written * 15e-6)
                task.gate("test", passed=True)

        client.flush()
        print("accepted:", client.stats.accepted)


if __name__ == "__main__":
    main()
