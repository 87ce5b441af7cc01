"""Traces, as a collector gets them: a real server sends to a receiver of the test, and what it sends is looked through."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support.outages import black_hole, dead_url
from support.server import COMMAND, create_instance
from support.waiting import wait_for

from mosaic_telemetry.server.examples import EXAMPLES
from mosaic_telemetry.server.tracing import where_to

QUERY = {"task_type": "testing", "model": "a-model", "provider": "openai", "complexity": "low"}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
KNOWN = {
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "mosaic_telemetry.batches",
    "mosaic_telemetry.request_id",
}


class Collector:
    """Takes traces by OTLP over HTTP."""

    def __init__(self):
        self.bodies, self.headers = [], []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/traces":
                    collector.headers.append(dict(self.headers))
                    collector.bodies.append(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def requests(self):
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    def spans(self):
        return [span for request in self.requests() for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]

    def named(self, name):
        return [span for span in self.spans() if span.name == name]


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@contextmanager
def serving(database, *options, **environment):
    """A running server; its URL, and a place for what it wrote to standard error when it has stopped."""
    env = {**os.environ, "OTEL_BSP_SCHEDULE_DELAY": "50", **environment}
    words = [*COMMAND, "serve", "--port", "0", "--database", str(database), *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            url, errors = process.stdout.readline().split("listening on ")[1].split()[0], []
            yield url, errors
            process.terminate()
            errors.append(process.communicate(timeout=60)[1])
            assert process.returncode == 0
        finally:
            process.kill()


def ask(url, path, body=None, **headers):
    request = urllib.request.Request(url + path, None if body is None else json.dumps(body).encode(), {k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def values(span):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


def test_a_request_what_it_waits_for_and_the_commit_are_spans_within_the_trace_of_who_asks(tmp_path, collector):
    access = create_instance(tmp_path / "t.db")
    event = {**EXAMPLES["TaskCompletionEvent"], "instance_id": access.instance_id, "event_id": str(uuid.uuid4())}
    traced = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X_Request_ID": "request-of-mine"}
    with serving(tmp_path / "t.db", "--workers", "2", "--trace-endpoint", collector.url, OTEL_SERVICE_NAME="ours") as (url, errors):
        assert ask(url, "/v1/events/batch", {"events": [event]}, Authorization=f"Bearer {access.api_key}", **traced)[0] == 202
        assert ask(url, "/v1/predictions/batch", {"queries": [QUERY]}, **traced)[0] == 200
        assert ask(url, "/v1/events/batch?key=" + access.api_key, {"events": []}, X_Request_ID=access.api_key)[0] == 401
        assert ask(url, f"/nowhere/{access.api_key}", traceparent="00-nonsense-01")[0] == 404
        assert ask(url, "/readyz")[0] == ask(url, "/healthz")[0] == 200
    assert errors == [""]  # and what was made last was sent before it ended
    batch, refused = sorted(collector.named("POST /v1/events/batch"), key=lambda span: values(span)["http.response.status_code"])
    assert values(batch) == {
        "http.request.method": "POST",
        "http.route": "/v1/events/batch",
        "http.response.status_code": 202,
        "mosaic_telemetry.request_id": "request-of-mine",
    }
    assert (batch.trace_id.hex(), batch.parent_span_id.hex(), batch.kind) == (TRACE, PARENT, Span.SPAN_KIND_SERVER)
    assert 0 < batch.end_time_unix_nano - batch.start_time_unix_nano < 60e9
    assert values(refused)["http.response.status_code"] == 401
    assert refused.trace_id.hex() != TRACE
    assert refused.status.code == Status.STATUS_CODE_UNSET  # the client's mistake is no error of the server
    (stored,) = collector.named("store events")
    assert (stored.trace_id, stored.parent_span_id) == (batch.trace_id, batch.span_id)
    (asked,), (predicted,) = collector.named("POST /v1/predictions/batch"), collector.named("predict")
    assert (predicted.trace_id, predicted.parent_span_id, predicted.trace_id.hex()) == (asked.trace_id, asked.span_id, TRACE)
    commits = collector.named("commit")
    assert commits
    assert all(values(commit)["mosaic_telemetry.batches"] >= 1 and not commit.parent_span_id for commit in commits)
    (nowhere,) = collector.named("GET")
    assert "http.route" not in values(nowhere)
    assert {span.name for span in collector.spans()} == {"GET", "POST /v1/events/batch", "POST /v1/predictions/batch", "commit", "predict", "store events"}
    assert {name for span in collector.spans() for name in values(span)} <= KNOWN
    sent = b"".join(collector.bodies)
    for secret in (access.api_key, access.instance_id, event["event_id"], "127.0.0.1", "a-model", "Python-urllib", "nowhere"):
        assert secret.encode() not in sent, secret
    about = {
        pair.key: pair.value.string_value for request in collector.requests() for resource in request.resource_spans for pair in resource.resource.attributes
    }
    assert about["service.name"] == "ours"


def test_the_variables_of_opentelemetry_turn_it_on_too(tmp_path, collector):
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=me"}
    with serving(tmp_path / "t.db", **environment) as (url, errors):
        assert ask(url, "/v1/predictions/batch", {"queries": [QUERY]})[0] == 200
        wait_for(lambda: collector.named("predict"), 30, "the span, while the server runs")
    assert errors == [""]
    assert collector.headers[0]["x-tenant"] == "me"
    (resource,) = {request.resource_spans[0].resource.SerializeToString() for request in collector.requests()}
    assert b"mosaic-telemetry" in resource


def test_an_error_that_nobody_expected_is_told_by_its_kind_alone(collector):
    """In a process of its own: the application with a store that fails in a way of which nobody thought."""
    program = f"""
import asyncio, os, sys
from mosaic_telemetry.server.tracing import open_tracing
async def broken(scope, receive, send):
    raise ZeroDivisionError("secret of the inside")
async def ask(app):
    try:
        await app({{"type": "http", "method": "BREW", "path": "/x", "headers": []}}, None, None)
    except ZeroDivisionError:
        print("raised on")
with open_tracing({collector.url!r}, os.environ) as tracing:
    asyncio.run(ask(tracing.requests(broken)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("raised on\n", "")
    (span,) = collector.spans()
    assert (span.name, values(span)["error.type"], span.status.code) == ("_OTHER", "ZeroDivisionError", Status.STATUS_CODE_ERROR)
    assert b"secret" not in b"".join(collector.bodies)
    assert not span.events


@pytest.mark.parametrize("outage", ["dead", "silent"])
def test_a_collector_that_is_away_holds_nobody_up(tmp_path, outage):
    with black_hole() as silent:
        endpoint = dead_url() if outage == "dead" else silent
        with serving(tmp_path / "t.db", "--trace-endpoint", endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="2", OTEL_BSP_EXPORT_TIMEOUT="2000") as (url, errors):
            for _ in range(5):
                assert ask(url, "/v1/predictions/batch", {"queries": [QUERY]})[0] == 200
            stopped = time.monotonic()
    assert time.monotonic() - stopped < 30
    assert "Traceback" not in errors[0]


def test_without_being_asked_nothing_of_opentelemetry_is_imported(tmp_path):
    words = [sys.executable, "-X", "importtime", *COMMAND[1:], "serve", "--port", "0", "--database", str(tmp_path / "t.db")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split("listening on ")[1].split()[0]
        assert ask(url, "/v1/predictions/batch", {"queries": [QUERY]})[0] == 200
        process.terminate()
        _, imported = process.communicate(timeout=60)
    assert "mosaic_telemetry.server.tracing" in imported
    assert "opentelemetry" not in imported


@pytest.mark.parametrize(
    ("setting", "env", "url"),
    [
        ("", {}, None),
        ("http://a:4318", {}, "http://a:4318/v1/traces"),
        ("http://a:4318/", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b"}, "http://a:4318/v1/traces"),
        ("http://a/x/v1/traces", {}, "http://a/x/v1/traces"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b/"}, "http://b/v1/traces"),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/as-it-is", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b/"}, "http://c/as-it-is"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b", "OTEL_SDK_DISABLED": "true"}, None),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b", "OTEL_TRACES_EXPORTER": "none"}, None),
    ],
)
def test_where_traces_go(setting, env, url):
    assert where_to(setting, env) == url


def test_another_protocol_than_is_spoken_is_said_in_one_line(tmp_path):
    with serving(tmp_path / "t.db", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317", OTEL_EXPORTER_OTLP_PROTOCOL="grpc") as (url, errors):
        assert ask(url, "/healthz")[0] == 200
    assert errors[0].count("\n") == 1
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is grpc" in errors[0]


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from mosaic_telemetry.cli import main
sys.argv[0] = "mosaic-telemetry"
main()
"""
"""The command where the extra is not installed."""


def test_where_the_extra_is_missing_one_line_names_it(tmp_path):
    words = [sys.executable, "-c", WITHOUT, "serve", "--port", "0", "--database", str(tmp_path / "t.db")]
    done = subprocess.run([*words, "--trace-endpoint", "http://127.0.0.1:1"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "pip install 'mosaic-telemetry[tracing]'" in done.stderr
    env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}  # for all programs of a machine, say: no reason not to start
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert "listening" in process.stdout.readline()
        process.terminate()
        assert "pip install 'mosaic-telemetry[tracing]'" in process.communicate(timeout=60)[1]
    assert process.returncode == 0
