"""`GET /metrics`, for Prometheus. Where several workers answer, each writes into files that all share, so that any of them tells the sum of all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "METHODS", "Metrics", "shared_metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_FILES = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST"})
"""Methods that are told by their names: a client may make up any other."""


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Within the block, processes forked from this one have their metrics in common; to be entered before any is made."""
    from mosaic_telemetry.server.folders import shared_folder  # here, since it needs what Windows has not, which has no forks either

    with shared_folder("mosaic-telemetry-metrics-") as directory:
        os.environ[_FILES] = str(directory)
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]  # prometheus_client looked for the variable when it was imported, untyped
        try:
            yield
        finally:
            del os.environ[_FILES]
            values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]  # as above


class Metrics:
    """What is counted. Names follow Prometheus's habit: seconds, `_total` for what only grows."""

    def __init__(self) -> None:
        self._files = os.environ.get(_FILES)
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests, by what they were answered with.", "method", "route", "status")
        self._seconds = self._histogram("request_seconds", "Time from a request's headers to its answer.", _SECONDS, "route")
        self._events = self._counter("events", "Events that came in, by what became of them.", "result")
        self._limited = self._counter("limited_requests", "Requests refused because there were too many, by which limit.", "limit")
        self._store_seconds = self._histogram("store_write_seconds", "Time from handing events over until they are durable.", _SECONDS)
        self._commits = self._histogram("commit_batches", "Batches and other writes that shared one commit.", _SIZES)
        self._commit_seconds = self._histogram("commit_seconds", "Time of one commit.", _SECONDS)
        self._waiting = Gauge(
            "mosaic_telemetry_queued_events",
            "Events that were taken and are not durable yet.",
            registry=None if self._files else self._registry,
            multiprocess_mode="livesum",
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the path's pattern, so that nobody can make up labels without end."""
        self._requests.labels(method if method in METHODS else "other", route or "none", str(status)).inc()
        self._seconds.labels(route or "none").observe(seconds)

    def events(self, result: str, events: int) -> None:
        """Count events: accepted, duplicate or invalid."""
        if events:
            self._events.labels(result).inc(events)

    def limited(self, limit: str) -> None:
        """Count a request that was refused."""
        self._limited.labels(limit).inc()

    def handed_over(self, events: int) -> None:
        """Events wait to become durable."""
        self._waiting.inc(events)

    def stored(self, events: int, seconds: float) -> None:
        """They wait no longer."""
        self._waiting.dec(events)
        self._store_seconds.observe(seconds)

    def commit(self, batches: int, seconds: float) -> None:
        """Count a commit."""
        self._commits.observe(batches)
        self._commit_seconds.observe(seconds)

    def text(self, sizes: Iterable[tuple[str, str, float]] = ()) -> bytes:
        """All numbers in Prometheus's text form.

        Args:
            sizes: (name, help, value) of what is looked up when it is asked for.
        """
        text = generate_latest(self._shared() if self._files else self._registry)
        looked_up = CollectorRegistry()
        looked_up.register(_Sizes(sizes))
        return text + generate_latest(looked_up)

    def _shared(self) -> CollectorRegistry:
        assert self._files is not None  # noqa: S101 - narrows the type
        for file in Path(self._files).glob("gauge_live*_*.db"):
            pid = int(file.stem.rpartition("_")[2])
            if not _lives(pid):
                mark_process_dead(pid, self._files)  # type: ignore[no-untyped-call]  # prometheus_client has not typed it
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._files)  # type: ignore[no-untyped-call]  # as above
        return registry

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"mosaic_telemetry_{name}", about, labels, registry=None if self._files else self._registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"mosaic_telemetry_{name}", about, labels, registry=None if self._files else self._registry, buckets=buckets)


class _Sizes(Collector):
    def __init__(self, sizes: Iterable[tuple[str, str, float]]) -> None:
        self._sizes = sizes

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, about, value in self._sizes:
            yield GaugeMetricFamily(f"mosaic_telemetry_{name}", about, value=value)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
