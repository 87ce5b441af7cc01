"""From the body of a batch to the verdict on each of its events (contract, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from mosaic_telemetry.engine.decode import Bad, EventText, Parsed, decode_batch, decode_event, id_bytes, parse_json
from mosaic_telemetry.engine.errors import FormError, WrongInstanceError
from mosaic_telemetry.engine.store import StoredEvent
from mosaic_telemetry.schema import ACCEPTED, MAX_BATCH_EVENTS, REJECTED, BatchEventResponse, BatchEventResult, encode

__all__ = ["Judged", "judge", "judge_body", "read_batch"]

_FORM = f'the body must be {{"events": [...]}} with 1 to {MAX_BATCH_EVENTS} events'
_DUPLICATE = "duplicate: an event with this event_id was received before"


class _Envelope(msgspec.Struct):
    events: list[msgspec.Raw]


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def read_batch(body: bytes) -> Sequence[EventText]:
    """The events in the body of a batch, each for `decode_event`.

    Raises:
        BrokenJsonError: the body is no JSON.
        FormError: it is JSON, but no batch of 1 to 100 events.
    """
    events: Sequence[EventText]
    try:
        if not _is_utf8(body):
            return _read_slowly(body)
        events = _ENVELOPE.decode(body).events
    except msgspec.ValidationError as error:
        raise FormError(_FORM) from error
    except (msgspec.DecodeError, RecursionError):
        events = _read_slowly(body)
    if not 1 <= len(events) <= MAX_BATCH_EVENTS:
        raise FormError(f"{_FORM}, and has {len(events)}")
    return events


def _is_utf8(body: bytes) -> bool:
    """The decoder passes over text that it does not keep without looking whether it is UTF-8."""
    try:
        return body.isascii() or body.decode() is not None
    except UnicodeDecodeError:
        return False


def _read_slowly(body: bytes) -> list[Parsed]:
    """The same, for JSON that the decoder does not take: an escaped half of a character in one event must not harm the others."""
    values = parse_json(body)
    if not isinstance(values, dict) or not isinstance(values.get("events"), list):
        raise FormError(_FORM)
    return [Parsed(event) for event in values["events"]]


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch that was looked at: what is to be stored, and the verdicts as soon as the store has said what was new.

    Attributes:
        events: the valid events, in the order of the batch.
        ids: of each event of the batch, as it was sent.
        errors: why an event is rejected, by its place in the batch.
    """

    events: list[StoredEvent]
    ids: list[str]
    errors: dict[int, str]

    def answer(self, new: Sequence[bool]) -> BatchEventResponse:
        """The verdicts; `new` says of each of `events` whether the store did not hold it before."""
        fresh = iter(new)
        results = []
        for place, event_id in enumerate(self.ids):
            why = self.errors.get(place) or (None if next(fresh) else _DUPLICATE)
            results.append(BatchEventResult(event_id=event_id, status=ACCEPTED if why is None else REJECTED, error=why))
        accepted = sum(new)
        return BatchEventResponse(accepted=accepted, rejected=len(results) - accepted, results=results)

    def encode(self, new: Sequence[bool]) -> bytes:
        """The same as JSON."""
        if not self.errors and all(new):
            results = _ACCEPTED_NEXT.join(self.ids)  # nothing in them needs escaping: they are UUIDs
            return f'{{"accepted":{len(new)},"rejected":0,"results":[{_ACCEPTED_BEGIN}{results}{_ACCEPTED_END}]}}'.encode()
        answer = self.answer(new)
        try:
            return msgspec.json.encode(answer)
        except UnicodeEncodeError:  # an id of a rejected event with half a character in it, given back as it was sent
            return encode(answer)


_ACCEPTED_BEGIN = '{"event_id":"'
_ACCEPTED_END = f'","status":"{ACCEPTED}","error":null}}'
_ACCEPTED_NEXT = f"{_ACCEPTED_END},{_ACCEPTED_BEGIN}"


def judge_body(body: bytes, instance_id: UUID) -> Judged:
    """Look at each event in the body of a batch that was sent with a key of `instance_id`.

    Raises:
        BrokenJsonError: the body is no JSON.
        FormError: it is JSON, but no batch of 1 to 100 events.
        WrongInstanceError: an event names another instance.
    """
    if _is_utf8(body) and (batch := decode_batch(body, str(instance_id))) and len(batch.ids) <= MAX_BATCH_EVENTS:
        return Judged(list(map(StoredEvent, id_bytes(batch.ids), batch.timestamps_ms, batch.fields)), batch.ids, {})
    return judge(read_batch(body), instance_id)


def judge(raws: Sequence[EventText], instance_id: UUID) -> Judged:
    """Look at each event of a batch, one by one.

    Raises:
        BrokenJsonError: an event is no JSON.
        WrongInstanceError: an event names another instance.
    """
    own = str(instance_id)
    judged = Judged([], [], {})
    named: str | None
    for place, raw in enumerate(raws):
        decoded = decode_event(raw)
        if isinstance(decoded, Bad):
            named, event_id = decoded.instance_id, decoded.event_id
            judged.errors[place] = decoded.error
        else:
            fields = decoded.fields
            named, event_id = fields.instance_id, fields.event_id
            judged.events.append(StoredEvent(id_bytes([event_id])[0], decoded.timestamp_ms, fields))
        if named is not None and named != own and named.lower() != own:
            raise WrongInstanceError(f"event {place} of the batch names the instance {named}, and the API key belongs to another")
        judged.ids.append(event_id)
    return judged
