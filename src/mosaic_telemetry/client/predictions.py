"""Predictions at hand: read from the cache at the speed of a dictionary, fetched by one request however many ask.

Laws: reading never waits; the same query is never fetched twice at the same time; what a fetch brings is cached even when
whoever asked for it has given up waiting; no request goes before the end of a `Retry-After`, whichever request it answered.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from mosaic_telemetry.client.cache import PredictionCache, key_of
from mosaic_telemetry.client.cachefile import load, save
from mosaic_telemetry.client.config import ResolvedConfig
from mosaic_telemetry.client.errors import HTTPStatusError, TelemetryError
from mosaic_telemetry.client.retry import Hold, backoff
from mosaic_telemetry.schema import MAX_BATCH_QUERIES, FieldError, PredictionQuery, PredictionResponse, ValidationError

if TYPE_CHECKING:
    from mosaic_telemetry.client.submitter import BatchSubmitter

__all__ = ["Predictions"]

_RENEW_PAUSE = 10.0
"""Seconds after a fetch that failed in which reading a stale prediction asks for no new one."""


class _Flight:
    """The fetch of a query under way."""

    def __init__(self, query: PredictionQuery) -> None:
        self.query = query
        self.done = threading.Event()
        self.complete = False


class Predictions:
    """The cache of a client, and what fills it. Safe to use from any thread.

    Args:
        config: the client's settings.
        report: told of every problem.
        hold: how long the server has asked to be left alone.
    """

    def __init__(self, config: ResolvedConfig, report: Callable[[Exception], None], hold: Hold) -> None:
        self._config = config
        self._report = report
        self._hold = hold
        self.cache = PredictionCache(config.prediction_cache_ttl, stale=config.prediction_stale_ttl)
        self._unread = config.prediction_cache_file is not None and config.enabled
        self._renew_after = 0.0  # what is stale is answered without a request until then
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: fetches are the parent's, and locks may be held by threads that are not here."""
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}
        self.cache.after_fork()

    def get(self, query: PredictionQuery) -> PredictionResponse | None:
        """The cached answer, or None. One that is stale but allowed is answered, and renewed in the background."""
        if self._unread:
            self._read_file()
        answer, fresh = self.cache.look(query)
        if answer is not None and not fresh and self._may_fetch and time.monotonic() >= max(self._renew_after, self._hold.until):
            self._fetch_in_background([query])
        return answer

    def refresh(self, queries: Iterable[PredictionQuery]) -> bool:
        """Fetch answers, and wait for them; queries that another thread fetches already are waited for. Whether all came.

        Raises:
            ValidationError: something that is no query is among them; none is fetched.
        """
        wanted = list(queries)
        for query in wanted:
            _check(query)
        mine, others = self._board(wanted)
        complete = self._fly(mine)
        deadline = time.monotonic() + self._config.request_timeout
        for flight in others:
            complete &= flight.done.wait(max(deadline - time.monotonic(), 0.0)) and flight.complete
        return complete

    def within(self, query: PredictionQuery, timeout: float) -> PredictionResponse | None:
        """The cached answer, or the one that comes within `timeout` seconds, or None; raises ValidationError for no query."""
        _check(query)
        answer = self.get(query)
        if answer is not None or not self._may_fetch:
            return answer
        self._fetch_in_background([query]).wait(max(timeout, 0.0))
        return self.cache.get(query)

    @property
    def _may_fetch(self) -> bool:
        return self._config.enabled and not self._config.dry_run

    def _board(self, queries: Sequence[PredictionQuery]) -> tuple[dict[str, _Flight], list[_Flight]]:
        """New flights for the queries that nobody fetches yet, by key, and the flights of the others."""
        mine: dict[str, _Flight] = {}
        others = []
        with self._lock:
            for query in queries:
                key = key_of(query)
                flight = self._flights.get(key)
                if flight is None:
                    mine[key] = self._flights[key] = _Flight(query)
                elif key not in mine:
                    others.append(flight)
        return mine, others

    def _fetch_in_background(self, queries: Sequence[PredictionQuery]) -> threading.Event:
        """Fetch in a thread of its own; the event is set when the first query's answer is there or will not come."""
        mine, others = self._board(queries)
        if mine:
            try:
                threading.Thread(target=self._fly, args=(mine,), name="mosaic-telemetry-predictions", daemon=True).start()
            except RuntimeError as error:  # no more threads, or the interpreter goes down: nobody may wait for this flight
                self._land(mine, complete=False)
                self._report(error)
        return next((flight.done for flight in (*mine.values(), *others)), threading.Event())

    def _fly(self, mine: dict[str, _Flight]) -> bool:
        complete = not mine
        try:
            if mine:
                complete = self._fetch([flight.query for flight in mine.values()])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must wake
            self._report(error)
        finally:
            self._land(mine, complete=complete)
        return complete

    def _land(self, mine: dict[str, _Flight], *, complete: bool) -> None:
        if not complete:
            self._renew_after = time.monotonic() + _RENEW_PAUSE
        with self._lock:
            for key, flight in mine.items():
                flight.complete = complete
                self._flights.pop(key, None)
                flight.done.set()

    def _fetch(self, wanted: list[PredictionQuery]) -> bool:
        from mosaic_telemetry.client.submitter import BatchSubmitter

        submitter = BatchSubmitter(self._config)
        complete = True
        try:
            for start in range(0, len(wanted), MAX_BATCH_QUERIES):
                part = wanted[start : start + MAX_BATCH_QUERIES]
                try:
                    responses = self._ask(submitter, part)
                except TelemetryError as error:
                    self._report(error)
                    complete = False
                    continue
                for query, response in zip(part, responses, strict=True):
                    self.cache.set(query, response)
        finally:
            submitter.close()
        if self._config.prediction_cache_file is not None:
            self._write_file(self._config.prediction_cache_file)
        return complete

    def _ask(self, submitter: BatchSubmitter, part: Sequence[PredictionQuery]) -> Sequence[PredictionResponse]:
        """The server's answers, within `request_timeout`; what it says may pass is tried again, where that time allows it.

        Raises:
            TelemetryError: why there are none. A server that cannot be reached is not tried again: somebody waits.
        """
        deadline = time.monotonic() + self._config.request_timeout
        failures = 0
        if self._hold.until >= deadline:
            raise TelemetryError(f"no predictions: the server asked for no requests in the next {self._hold.until - time.monotonic():.0f} s")
        while True:
            time.sleep(max(self._hold.until - time.monotonic(), 0.0))
            try:
                return submitter.predictions(part, deadline - time.monotonic()).results
            except HTTPStatusError as error:
                now = time.monotonic()
                if error.retry_after is not None:
                    self._hold.extend(now + min(error.retry_after, self._config.max_retry_after))
                failures += 1
                pause = backoff(failures, random.random)
                if not error.transient or failures > self._config.max_retries or max(now + pause, self._hold.until) >= deadline:
                    raise
                time.sleep(pause)

    def _read_file(self) -> None:
        self._unread = False
        path = self._config.prediction_cache_file
        if path is not None:
            for query, response, left in load(path, self._config.server_url, time.time()):
                self.cache.restore(query, response, left)

    def _write_file(self, path: str) -> None:
        if self._unread:
            self._read_file()  # what other processes wrote is kept
        try:
            save(path, self._config.server_url, self.cache.entries(), time.time())
        except OSError as error:
            self._report(error)


def _check(query: object) -> None:
    if not isinstance(query, PredictionQuery):
        raise ValidationError("predictions", [FieldError("query", query, "a PredictionQuery")])
