"""One batch to the server: encode, send, and read the verdicts."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mosaic_telemetry._version import __version__
from mosaic_telemetry.client.config import ResolvedConfig, TelemetryConfig, resolve_config
from mosaic_telemetry.client.errors import AnswerError, HTTPStatusError, TelemetryError, TransportError
from mosaic_telemetry.client.queue import QueuedEvent, encode_queued
from mosaic_telemetry.client.retry import DEFAULT_RETRY_AFTER, backoff, parse_retry_after
from mosaic_telemetry.client.transport import HTTPTransport, Reply, Transport
from mosaic_telemetry.schema import (
    ACCEPTED,
    BatchEventResponse,
    BatchEventResult,
    BatchPredictionResponse,
    PredictionQuery,
    ValidationError,
    decode,
    encode,
)
from mosaic_telemetry.schema.errors import one_line

__all__ = ["USER_AGENT", "BatchSubmitter", "SubmitResult"]

USER_AGENT = f"mosaic-telemetry-client-python/{__version__}"
_WORTH_COMPRESSING = 2048
"""Bytes of a body from which on compressing it saves more than it costs."""
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of a batch.

    Attributes:
        success: whether the server took the batch, whatever its verdict on single events.
        response: the verdicts; None without success.
        retry_after: seconds that the server asks to wait; None where it does not.
        error: why there was no success; None with it.
    """

    success: bool
    response: BatchEventResponse | None = None
    retry_after: float | None = None
    error: TelemetryError | None = None


class BatchSubmitter:
    """Submits batches of events to the server of a configuration. Used by one thread at a time.

    Args:
        config: where to, and how.
        transport: what carries the requests, instead of HTTP.
        sleep: waits between two tries, in seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: TelemetryConfig | ResolvedConfig,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = resolve_config(config)
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        self._gzip = False  # until the server says that it takes it

    def submit(self, events: Sequence[QueuedEvent]) -> SubmitResult:
        """Submit a batch, with the configured retries of failures that may pass. Waits; never raises for what the server does.

        Raises:
            ValueError: for an event that has no JSON form.
        """
        payload = [encode_queued(event) for event in events]
        if not payload:
            return SubmitResult(success=True, response=_all_accepted(payload))
        for failures in range(1, self._config.max_retries + 2):
            result = self.attempt(payload)
            if result.error is None or not result.error.transient or failures > self._config.max_retries:
                break
            wait = backoff(failures, random.random)
            self._sleep(max(wait, min(result.retry_after or 0.0, self._config.max_retry_after)))
        return result

    def attempt(self, payload: Sequence[bytes], timeout: float | None = None) -> SubmitResult:
        """Submit encoded events once.

        Args:
            payload: the JSON form of each event.
            timeout: seconds for the whole request, where it is less than the configured ones.
        """
        if not self._config.enabled:
            return SubmitResult(success=False, error=TelemetryError("reporting is disabled: nothing was sent"))
        if self._config.dry_run:
            answer = _all_accepted(payload)
            _log_dry_run(answer)
            return SubmitResult(success=True, response=answer)
        body = b'{"events":[' + b",".join(payload) + b"]}"
        try:
            reply = self._request("/v1/events/batch", body, timeout, authorised=True)
            return SubmitResult(success=True, response=_read_verdicts(reply.body, payload))
        except HTTPStatusError as error:
            return SubmitResult(success=False, retry_after=error.retry_after, error=error)
        except TelemetryError as error:
            return SubmitResult(success=False, error=error)

    def predictions(self, queries: Sequence[PredictionQuery], timeout: float | None = None) -> BatchPredictionResponse:
        """Ask for up to 50 predictions, once.

        Args:
            queries: what to ask.
            timeout: seconds for the whole request, where it is less than the configured ones.

        Raises:
            TelemetryError: no answer, no success, or one that holds another number of results than there were queries.
        """
        body = b'{"queries":[' + b",".join(encode(query) for query in queries) + b"]}"
        reply = self._request("/v1/predictions/batch", body, timeout, authorised=False)
        try:
            answer = decode(BatchPredictionResponse, reply.body)
        except ValidationError as error:
            raise AnswerError(f"unreadable predictions: {one_line(str(error))}") from error
        if len(answer.results) != len(queries):
            raise AnswerError(f"{len(answer.results)} predictions for {len(queries)} queries")
        return answer

    def close(self) -> None:
        """Give up the connection."""
        if self._transport is not None:
            self._transport.close()

    def _request(self, path: str, body: bytes, timeout: float | None, *, authorised: bool) -> Reply:
        if self._transport is None:
            self._transport = HTTPTransport(self._config.server_url, self._config.ca_file, self._clock)
        headers = {**_HEADERS, "Content-Type": "application/json"}
        if authorised:
            headers["Authorization"] = f"Bearer {self._config.api_key}"
        limit = self._config.request_timeout if timeout is None else min(timeout, self._config.request_timeout)
        if limit <= 0:
            raise TransportError("no time left for a request")
        if self._gzip and len(body) >= _WORTH_COMPRESSING:
            import gzip

            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        reply = self._transport.request("POST", path, body, headers, limit)
        # RFC 9110, section 12.5.3: a server says in Accept-Encoding which encodings it takes; 415 says not this one.
        self._gzip = "gzip" in reply.headers.get("accept-encoding", "" if reply.status == 415 else "gzip" * self._gzip)
        if not 200 <= reply.status < 300:
            after = parse_retry_after(reply.headers.get("retry-after"), time.time())
            if after is None and reply.status == 429:
                after = DEFAULT_RETRY_AFTER
            error = HTTPStatusError(reply.status, _detail(reply.body), after)
            error.transient |= reply.status == 415 and "Content-Encoding" in headers  # uncompressed it may go
            raise error
        return reply


def event_id_of(payload: bytes) -> str:
    """The id of an event in JSON form; empty where it has none."""
    try:
        return str(json.loads(payload)["event_id"])
    except (ValueError, KeyError, TypeError):
        return ""


def _all_accepted(payload: Sequence[bytes]) -> BatchEventResponse:
    results = tuple(BatchEventResult(event_id=event_id_of(item), status=ACCEPTED) for item in payload)
    return BatchEventResponse(accepted=len(results), rejected=0, results=results)


def _log_dry_run(answer: BatchEventResponse) -> None:
    import logging

    ids = ", ".join(result.event_id for result in answer.results)
    logging.getLogger("mosaic_telemetry").debug("mosaic-telemetry: dry run, %d events not sent: %s", len(answer.results), ids)


def _read_verdicts(body: bytes, payload: Sequence[bytes]) -> BatchEventResponse:
    """One verdict per event, in order. An answer that leaves an event without one counts for none: it is sent again by its id."""
    try:
        answer = _quick_verdicts(body) or decode(BatchEventResponse, body)
    except ValidationError as error:
        raise AnswerError(f"unreadable answer: {one_line(str(error))}") from error
    if len(answer.results) == len(payload):
        return answer
    if answer.accepted == len(payload) and not answer.results:
        return _all_accepted(payload)
    raise AnswerError(f"{len(answer.results)} verdicts for {len(payload)} events")


def _quick_verdicts(body: bytes) -> BatchEventResponse | None:
    """An answer in its ordinary form, without the general decoding, which costs a sender several times as much; else None."""
    try:
        answer = json.loads(body)
        results = []
        for item in answer["results"]:
            event_id, status, error = item["event_id"], item["status"], item.get("error")
            if type(event_id) is not str or type(status) is not str or (error is not None and type(error) is not str):
                return None
            results.append(BatchEventResult(event_id=event_id, status=status, error=error))
        accepted, rejected = answer["accepted"], answer["rejected"]
        if type(accepted) is not int or type(rejected) is not int:
            return None
        return BatchEventResponse(accepted=accepted, rejected=rejected, results=tuple(results))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _detail(body: bytes) -> str:
    """What a server says in the body of an error, as one short line."""
    try:
        answer = json.loads(body)
        text = next((answer[key] for key in ("error", "detail", "message") if isinstance(answer.get(key), str)), "")
    except (ValueError, AttributeError, RecursionError):
        text = ""
    return one_line(text)
