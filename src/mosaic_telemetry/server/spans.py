"""Spans, by the OpenTelemetry SDK, sent by OTLP over HTTP. Names and attributes follow OpenTelemetry's conventions for HTTP servers.

An attribute never holds what a client or a user made up, but for the request id, which is looked through for keys: no path (the route's
pattern instead), no query, no header, no address, no text of an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mosaic_telemetry._version import __version__
from mosaic_telemetry.engine.observing import Unobserved
from mosaic_telemetry.server.logs import REQUEST_ID, without_secrets
from mosaic_telemetry.server.metrics import METHODS

__all__ = ["Spans"]

P = ParamSpec("P")
T = TypeVar("T")

_PASSED_ON = (b"traceparent", b"tracestate")
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class Spans(Unobserved):
    """`Tracing` that is on.

    Args:
        url: where to, with its path.
        env: OpenTelemetry's variables, of which the SDK reads more by itself.
    """

    is_on = True

    def __init__(self, url: str, env: Mapping[str, str]) -> None:
        about = {"service.version": __version__}
        if not env.get("OTEL_SERVICE_NAME") and "service.name=" not in env.get("OTEL_RESOURCE_ATTRIBUTES", ""):
            about["service.name"] = "mosaic-telemetry"
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
        self._tracer = self._provider.get_tracer("mosaic_telemetry", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def requests(self, app: ASGIApp) -> ASGIApp:
        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] in _PROBES:
                await app(scope, receive, send)
                return
            method = scope["method"] if scope["method"] in METHODS else "_OTHER"
            with self._made(method, self._caller(scope), SpanKind.SERVER) as span:
                span.set_attribute("http.request.method", method)
                span.set_attribute("mosaic_telemetry.request_id", without_secrets(REQUEST_ID.get()))

                async def answer(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= 500:
                            span.set_status(StatusCode.ERROR)
                    await send(message)

                try:
                    await app(scope, receive, answer)
                finally:
                    if route := getattr(scope.get("route"), "path", ""):
                        span.update_name(f"{method} {route}")
                        span.set_attribute("http.route", route)

        return traced

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        with self._made(name, None, SpanKind.INTERNAL):
            yield

    def around(self, name: str, function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def traced(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.span(name):
                return function(*args, **kwargs)

        return traced

    def commit(self, batches: int, seconds: float) -> None:
        """A span by itself, since requests of several clients share a commit."""
        end = time.time_ns()
        start = end - int(seconds * 1e9)
        self._tracer.start_span("commit", Context(), attributes={"mosaic_telemetry.batches": batches}, start_time=start).end(end)

    def close(self) -> None:
        """Send what is left, for some seconds at most."""
        self._provider.shutdown()

    def _caller(self, scope: Scope) -> Context:
        """The span within which the client asks (https://www.w3.org/TR/trace-context/), or none."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in _PASSED_ON}
        return self._propagator.extract(headers, Context())

    @contextmanager
    def _made(self, name: str, parent: Context | None, kind: SpanKind) -> Iterator[Span]:
        """A span around a block; of an exception only its kind is told, since its text may hold anything."""
        with self._tracer.start_as_current_span(name, parent, kind, record_exception=False, set_status_on_exception=False) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise
