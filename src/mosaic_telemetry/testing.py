"""Helpers for your own tests: see what your code reports, without a server or with one that misbehaves on demand.

`capture_events` takes the events of every client in the process before they are queued:

    with capture_events() as events:
        run_my_code()
    assert events[0].outcome == "success"

`LocalServer` is a real HTTP server on a port of its own that keeps what it accepts, answers as the contract says, and fails
when it is told to:

    with LocalServer() as server:
        server.fail(503, times=2)
        client = TelemetryClient(TelemetryConfig(server.url, server.api_key, server.instance_id))
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from mosaic_telemetry.client.capture import captures
from mosaic_telemetry.schema import MAX_BATCH_EVENTS, BatchPredictionRequest, TaskCompletionEvent, ValidationError, from_dict

__all__ = ["Answer", "LocalServer", "Request", "capture_events"]


@contextmanager
def capture_events() -> Iterator[list[TaskCompletionEvent]]:
    """Collect the events that any client tracks meanwhile; none of them is queued or sent. Blocks may be nested."""
    events: list[TaskCompletionEvent] = []
    captures.append(events)
    try:
        yield events
    finally:
        captures[:] = [kept for kept in captures if kept is not events]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a `LocalServer` read: method, path, headers (names in lower case), body, and monotonic time in seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    time: float

    @property
    def json(self) -> Any:
        """The body as JSON; raises ValueError where it is none."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a `LocalServer` is to do with a request instead of the contract.

    Attributes:
        status: the HTTP status.
        headers: further headers.
        body: the body.
        delay: seconds before the answer.
        drip: seconds between two bytes of the body; 0 sends it at once.
        hang_up: close the connection without an answer.
        process: take the request's events as the contract says, whatever is answered.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    drip: float = 0.0
    hang_up: bool = False
    process: bool = False


Rule = Callable[[Request], Answer | None]


class LocalServer:
    """A server of the contract on 127.0.0.1, for tests.

    Attributes:
        api_key: the key that it takes.
        instance_id: the instance that the key belongs to.
        events: JSON form of each event accepted, by `event_id`, in the order of arrival.
        requests: every request read.
        rule: asked first for each request; an `Answer` is given instead of the contract's. None asks nothing.
        predictions: JSON forms of the answers to queries, by (task_type, model, provider, complexity).
        accept_gzip: whether it says that it takes compressed bodies; it reads them anyway.
    """

    def __init__(self, *, accept_gzip: bool = False) -> None:
        self.accept_gzip = accept_gzip
        self.api_key = "0" * 64
        self.instance_id = "00000000-0000-4000-8000-000000000000"
        self.events: dict[str, dict[str, Any]] = {}
        self.requests: list[Request] = []
        self.rule: Rule | None = None
        self.predictions: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self._scripted: deque[Answer] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="local-server", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, status: int, *, times: int = 1, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Answer the next `times` requests with `status`."""
        self._scripted.extend(Answer(status=status, headers=headers or {}, body=body) for _ in range(times))

    def answer(self, answer: Answer, *, times: int = 1) -> None:
        """Answer the next `times` requests like that."""
        self._scripted.extend([answer] * times)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop; may be called again."""
        if not self._closing.is_set():
            self._closing.set()
            if self._thread.is_alive():
                self._server.shutdown()
            self._server.server_close()

    def _decide(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            answer = self.rule(request) if self.rule is not None else None
            if answer is None and self._scripted:
                answer = self._scripted.popleft()
            if answer is None or answer.process:
                proper = self._proper(request)
                answer = answer or proper
            return answer

    def _proper(self, request: Request) -> Answer:
        try:
            body = request.json
        except ValueError:
            return _json(400, {"error": "the body is no JSON"})
        if request.path.endswith("/v1/events/batch"):
            return self._take(request, body)
        if request.path.endswith("/v1/predictions/batch"):
            try:
                from_dict(BatchPredictionRequest, body)
            except ValidationError as error:
                return _json(422, {"error": str(error)})
            return _json(200, {"results": [self._predict(query) for query in body["queries"]]})
        return _json(404, {"error": "no such path"})

    def _take(self, request: Request, body: Any) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            return _json(401, {"error": "unknown API key"})
        events = body.get("events") if isinstance(body, dict) else None
        if not isinstance(events, list) or not 1 <= len(events) <= MAX_BATCH_EVENTS:
            return _json(422, {"error": f"want 1 to {MAX_BATCH_EVENTS} events"})
        errors = [_error_of(event) for event in events]
        if any(error is None and event["instance_id"] != self.instance_id for event, error in zip(events, errors, strict=True)):
            return _json(403, {"error": "an event names another instance"})
        results = []
        for event, problem in zip(events, errors, strict=True):
            event_id = event.get("event_id") if isinstance(event, dict) else None
            error = "duplicate event_id" if problem is None and event_id in self.events else problem
            if error is None:
                self.events[event["event_id"]] = event
            verdict = {"status": "accepted"} if error is None else {"status": "rejected", "error": error}
            results.append({"event_id": event_id if isinstance(event_id, str) else "", **verdict})
        accepted = sum(result["status"] == "accepted" for result in results)
        return _json(202, {"accepted": accepted, "rejected": len(results) - accepted, "results": results})

    def _predict(self, query: Mapping[str, str]) -> dict[str, Any]:
        key = (query["task_type"], query["model"], query["provider"], query["complexity"])
        return self.predictions.get(key) or {"prediction": None, "metadata": {"sample_size": 0, "fallback_level": -1, "confidence": "none"}}


def _error_of(event: Any) -> str | None:
    """What is wrong with an event, or None."""
    try:
        from_dict(TaskCompletionEvent, event)
    except ValidationError as error:
        return str(error)
    return None


def _json(status: int, value: Any) -> Answer:
    return Answer(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(value).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, owner: LocalServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news in a test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go in two writes, and the second would wait 40 ms for an acknowledgement
    server: _Server

    def do_POST(self) -> None:
        owner = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        answer = owner._decide(Request(self.command, self.path, headers, body, time.monotonic()))  # noqa: SLF001 - its own handler
        if answer.delay:
            owner._closing.wait(answer.delay)  # noqa: SLF001 - its own handler
        if answer.hang_up:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if owner.accept_gzip:
            self.send_header("Accept-Encoding", "gzip")
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if not answer.drip:
            self.wfile.write(answer.body)
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if owner._closing.wait(answer.drip):  # noqa: SLF001 - its own handler
                return

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""
