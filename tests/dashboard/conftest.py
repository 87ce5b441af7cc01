"""A server with something to show, and a browser to look at it."""

import random
import shutil
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from support.events import fields
from support.server import ServerProcess

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import TaskCompletionEvent, encode_event

MODELS = (("claude-sonnet-4-5", "anthropic", 1.0), ("gpt-5.2-codex", "openai", 0.7), ("qwen3-coder", "ollama", 0.0))
TASK_TYPES = ("implementation", "debugging", "testing")
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def fill(path, count):
    """Events of the last three weeks, of two instances; always the same ones, but for the days."""
    rng = random.Random(4)
    now = datetime.now(UTC)
    with open_engine(path) as engine:
        for name in ("laptop", "ci"):
            instance = engine.authenticate(engine.create_instance(name).api_key)
            events = []
            for _ in range(count // 2):
                model, provider, price = rng.choices(MODELS, (5, 3, 1))[0]
                size, good = rng.lognormvariate(0, 0.8), rng.random() < 0.8
                events.append(
                    TaskCompletionEvent(
                        instance_id=str(instance.instance_id),
                        event_id=str(uuid.UUID(int=rng.getrandbits(128))),
                        schema_version="1.0",
                        timestamp=(now - timedelta(days=rng.random() * 20)).isoformat(),
                        **fields(
                            model=model,
                            provider=provider,
                            task_type=rng.choice(TASK_TYPES),
                            actual_input_tokens=int(50_000 * size),
                            actual_output_tokens=int(2_000 * size),
                            actual_cost_usd_micros=int(200_000 * size * price),
                            task_duration_ms=int(90_000 * size),
                            outcome="success" if good else "failure",
                            quality_gate_passed=good,
                        ),
                    )
                )
            engine.ingest(instance, events)
        broken = encode_event(events[0]).replace(b'"retry_count":0', b'"retry_count":99')
        engine.submit(instance, b'{"events":[' + broken + b"]}").stored.result()
        engine.roll_up()


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    path = tmp_path_factory.mktemp("dashboard") / "telemetry.db"
    fill(path, 1200)
    with ServerProcess(path) as server:
        yield server


@pytest.fixture(scope="module")  # no longer: while it runs, asyncio takes its thread for one with a running loop
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine: install the package chromium")
    quiet = ("no-sandbox", "disable-background-networking", "disable-component-update", "disable-sync", "no-first-run", "disable-gpu")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=[f"--{word}" for word in quiet])
        yield running
        running.close()


@pytest.fixture
def own_server(tmp_path, monkeypatch):
    """A server with an admin key that the test knows."""
    monkeypatch.setenv("MOSAIC_TELEMETRY_ADMIN_KEY", "ad" * 32)
    with ServerProcess(tmp_path / "own.db") as server:
        yield server


@pytest.fixture
def expect_refusals():
    """Say how many forms the server will refuse: the browser writes a line of each to its console."""
    expected = []
    return expected.append


@pytest.fixture
def page(browser, served, expect_refusals):
    """A page that fails the test at its end if anything went to the console or to another host."""
    context = browser.new_context(base_url=served.url, viewport={"width": 1200, "height": 900})
    found = context.new_page()
    wrong = []
    found.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    found.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    found.on("request", lambda request: request.url.startswith("http://127.0.0.1:") or wrong.append(f"request to {request.url}"))
    yield found
    context.close()
    assert len(wrong) == sum(expect_refusals.__self__), wrong
