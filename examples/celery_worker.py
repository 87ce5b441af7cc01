"""A Celery worker: `celery --app celery_worker worker`. Each job that runs an agent is reported; a worker that is killed loses no event.

The broker is a folder here (CELERY_FOLDER), so that the example needs nothing else; yours is Redis or RabbitMQ.
"""

import os
import tempfile

from celery import Celery
from celery.signals import worker_process_init

from mosaic_telemetry import TelemetryClient, TelemetryConfig

folder = os.environ.get("CELERY_FOLDER") or tempfile.mkdtemp()
app = Celery("agents", broker="filesystem://")
app.conf.broker_transport_options = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), folder)

client = TelemetryClient(TelemetryConfig.from_env())


@worker_process_init.connect
def start_reporting(**_: object) -> None:
    client.start()  # in each process of the pool; what is left at its end goes out with the next one


def run_agent(file: str) -> tuple[str, int, int]:
    """Stands for your agent: the answer, input tokens and output tokens."""
    return f"refactored {file}", 40_000 + len(file), 2_600


@app.task
def refactor(file: str) -> str:
    with client.task(task_type="refactoring", complexity="medium", model="claude-sonnet-4-5", provider="anthropic") as task:
        answer, read, written = run_agent(file)
        task.add_usage(input_tokens=read, output_tokens=written, cost_usd=read * 3e-6 + written * 15e-6)
    return answer
