"""What the server does, as spans for OpenTelemetry: off unless it was asked for, and nothing of OpenTelemetry is imported then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ParamSpec, Protocol, TypeVar

from starlette.types import ASGIApp

from mosaic_telemetry.engine.observing import Observer, Unobserved

__all__ = ["Tracing", "Untraced", "open_tracing", "where_to"]

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


class Tracing(Observer, Protocol):
    """Makes spans of what is done; of what the engine tells, of commits. Every method may be called from any thread."""

    @property
    def is_on(self) -> bool:
        """Whether anybody gets them."""

    def requests(self, app: ASGIApp) -> ASGIApp:
        """The application with a span around each request."""

    def span(self, name: str) -> AbstractContextManager[object]:
        """A span around a block, within that of the request."""

    def around(self, name: str, function: Callable[P, T]) -> Callable[P, T]:
        """The function with a span around each call, within that of the request."""


class Untraced(Unobserved):
    """Makes none."""

    is_on = False

    def requests(self, app: ASGIApp) -> ASGIApp:
        return app

    def span(self, name: str) -> AbstractContextManager[object]:  # noqa: ARG002 - nobody hears of it
        return nullcontext()

    def around(self, name: str, function: Callable[P, T]) -> Callable[P, T]:  # noqa: ARG002 - as above
        return function


def where_to(endpoint: str, env: Mapping[str, str]) -> str | None:
    """The address that traces go to; None where nobody asked for any.

    Args:
        endpoint: the setting: the address of an OTLP receiver, with or without `/v1/traces`; may be empty.
        env: in the place of the setting, OpenTelemetry's own variables.
    """
    if endpoint:
        return endpoint if endpoint.endswith("/v1/traces") else f"{endpoint.rstrip('/')}/v1/traces"
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or env.get("OTEL_TRACES_EXPORTER", "").strip() not in {"", "otlp"}:
        return None
    if own := env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip():
        return own
    shared = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    return f"{shared.rstrip('/')}/v1/traces" if shared else None


@contextmanager
def open_tracing(endpoint: str, env: Mapping[str, str]) -> Iterator[Tracing]:
    """Spans of this process; what was made is sent before the block ends. To be opened in the process that makes them, after any fork.

    Args:
        endpoint: as for `where_to`.
        env: as for `where_to`.

    Raises:
        ModuleNotFoundError: the setting asks for traces, and the extra `tracing` is not installed. Where only the environment does, the
            log says so.
    """
    url = where_to(endpoint, env)
    if url is None:
        yield Untraced()
        return
    spoken = env.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or env.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    if not endpoint and spoken != "http/protobuf":
        _log.warning("no traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL is %s, and only http/protobuf is spoken here", spoken)
        yield Untraced()
        return
    try:
        from mosaic_telemetry.server.spans import Spans
    except ModuleNotFoundError as error:
        if endpoint or not str(error.name).startswith("opentelemetry"):
            raise
        _log.warning("no traces are sent to OTEL_EXPORTER_OTLP_ENDPOINT: they need an extra: pip install 'mosaic-telemetry[tracing]'")
        yield Untraced()
        return
    spans = Spans(url, env)
    try:
        yield spans
    finally:
        spans.close()
