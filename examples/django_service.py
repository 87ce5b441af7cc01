"""A Django service under a WSGI server: `gunicorn --workers 2 django_service:application`, with or without `--preload`.

One file instead of a project, so that it can be read at once. The client is made when the module is imported, and sends in each worker
process by itself: a fork takes nothing over from its parent.
"""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from mosaic_telemetry import TelemetryClient, TelemetryConfig

settings.configure(ALLOWED_HOSTS=["127.0.0.1", "localhost"], ROOT_URLCONF=__name__, SECRET_KEY="only for this example")  # noqa: S106 - it signs nothing here

client = TelemetryClient(TelemetryConfig.from_env())
client.start()


def run_agent(file: str) -> tuple[str, int, int]:
    """Stands for your agent: the answer, input tokens and output tokens."""
    return f"reviewed {file}", 8_000 + len(file), 350


def review(_: HttpRequest, file: str) -> JsonResponse:
    with client.task(task_type="code_review", complexity="low", model="claude-sonnet-4-5", provider="anthropic") as task:
        answer, read, written = run_agent(file)
        task.add_usage(input_tokens=read, output_tokens=written, cost_usd=read * 3e-6 + written * 15e-6)
    return JsonResponse({"answer": answer})


urlpatterns = [path("reviews/<str:file>", review)]
application = get_wsgi_application()
