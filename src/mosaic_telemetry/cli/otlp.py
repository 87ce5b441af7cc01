"""`serve --otlp`: takes the OpenTelemetry that harnesses send of their own accord (OTLP over HTTP), and makes events of it.

`/v1/logs` is read; `/v1/metrics` is accepted and passed over, since it sums up the same requests once more. The format is that of
https://opentelemetry.io/docs/specs/otlp/: protobuf (with the extra `otel`) or JSON, also packed with gzip.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mosaic_telemetry.cli.otlp_store import FactStore, Family
from mosaic_telemetry.collectors.estimates import with_estimates
from mosaic_telemetry.collectors.events import to_event
from mosaic_telemetry.collectors.otlp import PROMPTS_LOGGED, Fact, facts_in, unmatched_version
from mosaic_telemetry.collectors.otlp_tasks import group_facts, tasks_of
from mosaic_telemetry.engine import Engine, EngineError, Instance
from mosaic_telemetry.schema import TaskCompletionEvent, ValidationError
from mosaic_telemetry.server.access import authenticate
from mosaic_telemetry.server.bodies import read_body
from mosaic_telemetry.server.errors import ApiError

__all__ = ["QUIET_S", "Receiver", "add_receiver"]

QUIET_S = 900.0
"""Seconds without a word after which a task counts as finished. Tools work for ten minutes at most."""

_GRACE_S = 10.0  # harnesses send in batches every few seconds: what belongs to a task may come after the next prompt
_STEP_S = 1.0
_LARGEST_BODY = 16 << 20
_JSON, _PROTOBUF = "application/json", "application/x-protobuf"
_log = logging.getLogger(__name__)


def add_receiver(app: Starlette, path: Path, quiet_s: float = QUIET_S) -> Starlette:
    """The application with the receiver in it, and a thread that turns finished tasks into events.

    Args:
        app: what `create_app` made.
        path: the file for facts of unfinished tasks.
        quiet_s: seconds without a word after which a task counts as finished.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    engine: Engine = app.state.engine
    receiver = Receiver(engine, FactStore(path), quiet_s)
    app.state.otlp = receiver
    # Before the routes of the API, so that none of those can take their place.
    app.router.routes[:0] = [Route("/v1/logs", _logs, methods=["POST"]), Route("/v1/metrics", _metrics, methods=["POST"])]
    threading.Thread(target=receiver.run, name="mosaic-telemetry-otlp", daemon=True).start()
    return app


class Receiver:
    """Takes facts, and reports tasks when they are finished.

    Args:
        engine: takes the events.
        store: keeps the facts until then.
        quiet_s: seconds without a word after which a task counts as finished.
        now: the time, in seconds since 1970.
    """

    def __init__(self, engine: Engine, store: FactStore, quiet_s: float = QUIET_S, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._store = store
        self._quiet_s = quiet_s
        self._now = now
        self._warned = False

    def take(self, instance: Instance, body: Any) -> int:
        """Keep what the body of a logs request tells of tasks; returns how many facts that were."""
        facts = list(facts_in(body))
        if not self._warned and (version := unmatched_version(body)):
            self._warned = True
            _log.warning(
                "OpenTelemetry: the log of Claude Code %s does not name prompts: where it is collected as well, its tasks count twice;"
                " use one of the two, or Claude Code %s or later",
                version,
                PROMPTS_LOGGED,
            )
        if facts:
            self._store.add(instance, facts, int(self._now() * 1000))
        return len(facts)

    def run(self) -> None:
        """Report what is finished, every second, for good."""
        while True:
            time.sleep(_STEP_S)
            try:
                self.step()
            except (EngineError, sqlite3.Error) as error:  # what is not reported now is the next time
                _log.warning("OpenTelemetry: %s", error)

    def step(self) -> int:
        """Report every task that is finished now; returns how many."""
        return sum(map(self._report, self._store.families()))

    def _report(self, family: Family) -> int:
        known = self._store.facts(family)
        now = self._now()
        groups = group_facts((fact for fact, _ in known.values()), family.above)
        grouped = {_key(fact) for group in groups for fact in group}
        events: list[TaskCompletionEvent] = []
        done: list[tuple[str, str]] = []
        for place, group in enumerate(groups):
            newest = max(known[_key(fact)][1] for fact in group) / 1000
            if now - newest < (_GRACE_S if place + 1 < len(groups) else self._quiet_s):
                continue
            events += self._events(group, family.instance, int(now * 1000))
            done += [_key(fact) for fact in group if fact.kind != "start"]
        last = max((received for _, received in known.values()), default=0) / 1000
        if now - last >= self._quiet_s:  # nothing more is to come: what belongs to no prompt goes as well
            done += [one for one in known if one not in grouped or known[one][0].kind == "start"]
        if events:
            self._engine.ingest(family.instance, events)
        if done:
            self._store.remove(family, done)
        return len(events)

    def _events(self, group: list[Fact], instance: Instance, now_ms: int) -> list[TaskCompletionEvent]:
        """The event of a prompt's facts, with what was predicted before the task began as its estimates."""
        try:
            tasks = [(task, to_event(task, str(instance.instance_id))) for task in tasks_of(group, now_ms)]
        except ValidationError as error:
            _log.warning("OpenTelemetry: no event can be made of a task: %s", error)
            return []
        return [converted.event for _, converted in with_estimates(tasks, self._engine.predict)]


def _key(fact: Fact) -> tuple[str, str]:
    return fact.session, fact.id


async def _logs(request: Request) -> Response:
    """`POST /v1/logs`: the answer comes when what is kept of it is durable."""
    engine: Engine = request.app.state.engine
    receiver: Receiver = request.app.state.otlp
    instance = await authenticate(request, engine)
    kind = _kind(request)
    body = await read_body(request, _LARGEST_BODY)
    try:
        await run_in_threadpool(lambda: receiver.take(instance, _read(body, kind, "logs")))
    except sqlite3.Error as error:
        _log.warning("OpenTelemetry: %s", error)
        raise ApiError(503, "the server cannot store telemetry at the moment; try again", {"Retry-After": "5"}) from error
    return _done(kind)


async def _metrics(request: Request) -> Response:
    """`POST /v1/metrics`: read, and passed over."""
    await authenticate(request, request.app.state.engine)
    kind = _kind(request)
    body = await read_body(request, _LARGEST_BODY)
    await run_in_threadpool(_read, body, kind, "metrics")
    return _done(kind)


def _kind(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {_JSON, _PROTOBUF}:
        raise ApiError(415, f"the body is to be {_PROTOBUF} or {_JSON}")
    return kind


def _done(kind: str) -> Response:
    return Response(b"{}" if kind == _JSON else b"", 200, media_type=kind)


def _read(body: bytes, kind: str, signal: str) -> Any:
    """The body as its JSON form says it.

    Raises:
        ApiError: 400, 415.
    """
    if kind == _JSON:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise ApiError(400, "the body is not JSON") from None
        if not isinstance(found, dict):
            raise ApiError(400, "the body is not a JSON object")
        return found
    try:
        from google.protobuf.json_format import MessageToDict
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    except ModuleNotFoundError:
        raise ApiError(415, "this server reads JSON only: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json, or install mosaic-telemetry[otel] there") from None
    message = ExportLogsServiceRequest() if signal == "logs" else ExportMetricsServiceRequest()
    try:
        message.ParseFromString(body)
        return MessageToDict(message)
    except (DecodeError, ValueError, RecursionError):
        raise ApiError(400, "the body is not the protobuf message of this path") from None
