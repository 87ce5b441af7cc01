"""Every example runs as a person would run it: under its own server, against a server that takes what it reports."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from support.programs import Program
from support.server import ServerProcess, create_instance
from support.waiting import wait_for

from mosaic_telemetry.testing import Answer, LocalServer

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = {"orchestrator.py": 2, "async_service.py": 5}
SERVICES = {"fastapi_service.py", "django_service.py", "celery_worker.py", "serverless_function.py"}


def test_every_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == SCRIPTS.keys() | SERVICES


@pytest.fixture(scope="module")
def real_server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("server") / "telemetry.db") as process:
        yield process


@pytest.fixture
def server():
    with LocalServer() as running:
        yield running


@pytest.fixture
def start(server, tmp_path):
    """Start a command in the folder of the examples, configured for `server`; ended with the test."""
    with ExitStack() as running:
        yield partial(_start, running, server, tmp_path)


def _start(running, server, tmp_path, *words, **environment):
    settings = {"server_url": server.url, "api_key": server.api_key, "instance_id": server.instance_id, "spool_dir": tmp_path / "spool"}
    env = {"PYTHONPATH": os.pathsep.join([str(EXAMPLES), os.environ.get("PYTHONPATH", "")]), "TMPDIR": str(tmp_path), **environment}
    return running.enter_context(Program("", settings, command=[sys.executable, *words], env=env))


def said(program, mark):
    """The word after `mark` in what the program says of itself, once it has said so."""

    def found():
        lines = [*list(program.lines), *list(program.errors)]
        return next((line.split(mark)[1].split()[0] for line in lines if mark in line), None) or program.process.poll() is not None

    wait_for(found, 60, f"{mark!r}")
    address = found()
    assert isinstance(address, str), "\n".join(program.errors)
    return address


def post(url):
    with urllib.request.urlopen(urllib.request.Request(url, method="POST", data=b""), timeout=30) as answer:
        return json.loads(answer.read())


def kinds(server):
    return [(event["task_type"], event["outcome"]) for event in server.events.values()]


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(real_server, name):
    access = create_instance(real_server.database)
    env = {
        **os.environ,
        "MOSAIC_TELEMETRY_SERVER_URL": real_server.url,
        "MOSAIC_TELEMETRY_API_KEY": access.api_key,
        "MOSAIC_TELEMETRY_INSTANCE_ID": access.instance_id,
    }
    done = subprocess.run([sys.executable, str(EXAMPLES / name)], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == f"accepted: {SCRIPTS[name]}"
    assert done.stderr == ""


def test_fastapi_under_uvicorn(server, start):
    pytest.importorskip("fastapi")
    service = start("-m", "uvicorn", "--port", "0", "fastapi_service:app")
    url = said(service, "running on ")
    assert [post(f"{url}/reviews/file-{number}")["answer"] for number in range(3)] == [f"reviewed file-{number}" for number in range(3)]
    service.send(signal.SIGTERM).end()
    assert kinds(server) == [("code_review", "success")] * 3
    assert not any("Traceback" in line for line in service.errors)


@pytest.mark.parametrize("options", [[], ["--preload"]], ids=["no preload", "preload"])
def test_django_under_gunicorn(server, start, options):
    pytest.importorskip("django")
    pytest.importorskip("gunicorn")
    service = start("-m", "gunicorn", "--no-control-socket", "--workers", "2", "--bind", "127.0.0.1:0", *options, "django_service:application")
    url = said(service, "Listening at: ")
    assert [post(f"{url}/reviews/file-{number}")["answer"] for number in range(4)] == [f"reviewed file-{number}" for number in range(4)]
    service.send(signal.SIGTERM).end()
    wait_for(lambda: len(server.events) == 4, 30, "the events")
    assert kinds(server) == [("code_review", "success")] * 4
    assert not any("Traceback" in line for line in service.errors), "\n".join(service.errors)


def test_celery_worker(server, start, tmp_path):
    pytest.importorskip("celery")
    (tmp_path / "broker").mkdir()
    environment = {"CELERY_FOLDER": str(tmp_path / "broker"), "MOSAIC_TELEMETRY_SUBMIT_INTERVAL": "0.2"}
    worker = start("-m", "celery", "--app", "celery_worker", "worker", "--concurrency", "2", "--loglevel", "INFO", **environment)
    wait_for(lambda: any("ready." in line for line in worker.errors) or worker.process.poll() is not None, 60, "celery's worker")
    sender = start("-c", "import celery_worker as w; [w.refactor.delay(f'file-{number}') for number in range(3)]", **environment).end()
    assert sender.code == 0, sender.errors
    wait_for(lambda: len(server.events) == 3, 60, "the events")
    worker.send(signal.SIGTERM).end()
    assert kinds(server) == [("refactoring", "success")] * 3
    assert not any("Traceback" in line for line in worker.errors)


def test_a_serverless_function_has_delivered_when_it_answers(server, start):
    code = "import os, signal, serverless_function as f; f.handler({'file': 'a.py'}, None); print(f.handler({'file': 'b.py'}, None)); "
    frozen = start("-u", "-c", code + "os.kill(os.getpid(), signal.SIGKILL)").end()
    assert frozen.lines == ["{'statusCode': 200, 'body': 'documented b.py'}"], frozen.errors
    assert kinds(server) == [("documentation", "success")] * 2


def test_what_a_serverless_function_could_not_deliver_waits_for_the_next_call(server, start):
    server.rule = lambda _: Answer(status=503)
    code = "import os, signal, serverless_function as f; print(f.handler({'file': 'a.py'}, None)['statusCode']); os.kill(os.getpid(), signal.SIGKILL)"
    assert start("-u", "-c", code).end().lines == ["200"]
    assert kinds(server) == []
    server.rule = None
    assert start("-u", "-c", code).end().lines == ["200"]
    assert kinds(server) == [("documentation", "success")] * 2
