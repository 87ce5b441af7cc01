"""How each client's server answers, and by what each client's events are told apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

MARK = re.compile(rb"#(\d{8})#")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One client's side of the wire.

    Attributes:
        ids: finds the id that the client gives an event, one an event; None where it gives none, so that a server counts
            an event as often as it comes.
        success: status, content type and body of the answer to a request with these ids (marks where there are none);
            the second argument holds those among them that came before.
    """

    ids: re.Pattern[bytes] | None
    success: Callable[[Sequence[bytes], Collection[bytes]], tuple[int, str, bytes]]


def _fixed(status: int, content_type: str, body: bytes) -> Callable[[Sequence[bytes], Collection[bytes]], tuple[int, str, bytes]]:
    answer = (status, content_type, body)
    return lambda _ids, _known: answer


def _verdicts(ids: Sequence[bytes], known: Collection[bytes]) -> tuple[int, str, bytes]:
    """Our contract's answer: a verdict for each event, in order."""
    if not known:
        results = b",".join(b'{"event_id":"%b","status":"accepted"}' % event_id for event_id in ids)
        return 202, "application/json", b'{"accepted":%d,"rejected":0,"results":[%b]}' % (len(ids), results)
    verdicts = []
    for event_id in ids:
        verdict = {"status": "rejected", "error": "duplicate event_id"} if event_id in known else {"status": "accepted"}
        verdicts.append({"event_id": event_id.decode(), **verdict})
    rejected = sum(verdict["status"] == "rejected" for verdict in verdicts)
    return 202, "application/json", json.dumps({"accepted": len(ids) - rejected, "rejected": rejected, "results": verdicts}).encode()


def _honeycomb(ids: Sequence[bytes], _known: Collection[bytes]) -> tuple[int, str, bytes]:
    return 200, "application/json", b"[" + b",".join([b'{"status":202}'] * len(ids)) + b"]"


_JSON = "application/json"
_DIALECTS = (
    ("/v1/events/batch", Dialect(re.compile(rb'"event_id":"([^"]+)"'), _verdicts)),
    ("/v1/batch", Dialect(re.compile(rb'"messageId": "([^"]+)"'), _fixed(200, _JSON, b'{"success": true}'))),
    ("/v1/logs", Dialect(None, _fixed(200, "application/x-protobuf", b""))),
    ("/batch/", Dialect(re.compile(rb'"uuid": "([^"]+)"'), _fixed(200, _JSON, b'{"status": 1}'))),
    ("/api/1/envelope/", Dialect(None, _fixed(200, _JSON, b"{}"))),
    ("/1/batch/", Dialect(None, _honeycomb)),
    ("/com.snowplowanalytics.snowplow/tp2", Dialect(re.compile(rb'"eid": ?"([^"]+)"'), _fixed(200, "text/plain", b"ok"))),
)


def dialect_of(path: str) -> Dialect | None:
    """The dialect that is spoken at a path; None for a path of nobody's."""
    return next((dialect for prefix, dialect in _DIALECTS if path.startswith(prefix)), None)
