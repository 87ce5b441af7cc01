"""Where applications run: under gunicorn, gevent and celery, the real ones."""

import signal
import sys
import urllib.request
from importlib.util import find_spec

import pytest
from support.waiting import wait_for

from mosaic_telemetry.testing import Answer


def needs(name):
    return pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")


GUNICORN = """
from support.reporting import new_client, track

client = new_client(submit_interval=0.2)
client.start()
track(client, 2)

def application(environ, start_response):
    track(client, 1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
"""


@needs("gunicorn")
@pytest.mark.parametrize("worker", ["sync", "gthread", pytest.param("gevent", marks=needs("gevent"))])
@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
def test_gunicorn(program, server, sent, deliver_rest, tmp_path, worker, preload):
    (tmp_path / "app.py").write_text(GUNICORN, encoding="utf-8")
    (tmp_path / "conf.py").write_text("from support.reporting import say\ndef post_worker_init(worker): say('ready')\n", encoding="utf-8")
    words = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        str(tmp_path / "conf.py"),
        "--chdir",
        str(tmp_path),
        "--workers",
        "2",
        "--worker-class",
        worker,
        "--bind",
        "127.0.0.1:0",
        "app:application",
    ]
    running = program(command=[*words, "--no-control-socket", *(["--preload"] if preload else [])])

    def url():
        return next((line.split("Listening at: ")[1].split()[0] for line in list(running.errors) if "Listening at: " in line), None)

    wait_for(url, 30, "gunicorn's address")
    wait_for(lambda: running.lines.count("ready") == 2, 30, "two workers")
    for _ in range(30):
        with urllib.request.urlopen(url(), timeout=30) as answer:
            assert answer.read() == b"ok"
    running.send(signal.SIGTERM).end()
    assert running.code == 0
    assert not any("Traceback" in line for line in running.errors), "\n".join(running.errors)
    assert len(running.ids) == 30 + 2 * (1 if preload else 2)
    assert deliver_rest()
    assert set(server.events) == set(running.ids)
    assert set(sent().values()) == {1}


@needs("gevent")
@pytest.mark.parametrize("end", ["returns", "stops", "killed"])
def test_gevent(program, server, deliver_rest, tmp_path, end):
    """With the standard library patched; a request that takes its time lets other greenlets run."""
    server.answer(Answer(status=503, delay=0.3))
    last = {"returns": "", "stops": "assert client.stop(20)", "killed": "os.kill(os.getpid(), signal.SIGKILL)"}[end]
    script = tmp_path / "green.py"
    script.write_text(
        f"""
from gevent import monkey
monkey.patch_all()
import gevent, os, signal, time
from support.reporting import new_client, say, track

client = new_client(batch_size=10)
client.start()
ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.005)
        ticks += 1
gevent.spawn(tick)
gevent.joinall([gevent.spawn(track, client, 5) for _ in range(8)])
before = ticks
gevent.sleep(0)
client.flush(10)
say("ticks", ticks - before)
track(client, 3)
{last}
""",
        encoding="utf-8",
    )
    done = program(command=[sys.executable, str(script)]).end()
    assert done.trouble == ""
    assert len(done.ids) == 43
    (ticks,) = [int(line.split()[1]) for line in done.lines if line.startswith("ticks")]
    assert ticks >= 10, "other greenlets ran while the request was under way"
    if end != "killed":
        assert set(server.events) == set(done.ids), "the exit hook works for greenlets too"
    assert deliver_rest()
    assert set(server.events) == set(done.ids)


CELERY = """
import os
from celery import Celery
from support.reporting import new_client, track

folder = os.environ["FOLDER"]
app = Celery("jobs", broker="filesystem://", backend="file://" + folder)
app.conf.broker_transport_options = {name: folder for name in ("data_folder_in", "data_folder_out", "control_folder")}
client = new_client(submit_interval=0.2)
client.start()

@app.task
def job(number):
    track(client, 1)
    return number
"""


@needs("celery")
def test_celery_prefork(program, server, sent, deliver_rest, tmp_path):
    (tmp_path / "jobs.py").write_text(CELERY, encoding="utf-8")
    folder = tmp_path / "broker"
    folder.mkdir()
    environment = {"FOLDER": str(folder)}
    words = [sys.executable, "-m", "celery", "--workdir", str(tmp_path), "-A", "jobs", "worker", "--concurrency", "2", "--pool", "prefork"]
    worker = program(command=[*words, "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"], options={"env": environment})
    wait_for(lambda: any("ready." in line for line in worker.errors), 60, "celery's worker")
    code = "import sys; sys.path.insert(0, {!r}); import jobs; [jobs.job.delay(number) for number in range(20)]; os._exit(0)"
    assert program(code.format(str(tmp_path)), options={"env": environment}).end().code == 0
    wait_for(lambda: len(worker.ids) == 20, 60, "the jobs")
    worker.send(signal.SIGTERM).end()
    assert not any("Traceback" in line for line in worker.errors), "\n".join(worker.errors)
    assert deliver_rest()
    assert set(server.events) == set(worker.ids)
    assert set(sent().values()) == {1}
