"""From the body of a batch to the verdict on each of its events (contract, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from mosaic_telemetry.engine.decode import Bad, EventText, Parsed, decode_event, parse_json
from mosaic_telemetry.engine.errors import FormError, WrongInstanceError
from mosaic_telemetry.engine.store import StoredEvent
from mosaic_telemetry.schema import ACCEPTED, MAX_BATCH_EVENTS, REJECTED, BatchEventResponse, BatchEventResult

__all__ = ["Judged", "judge", "read_batch"]

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
        if not body.isascii():
            body.decode()  # the decoder passes over text that it does not keep without looking whether it is UTF-8
        events = _ENVELOPE.decode(body).events
    except msgspec.ValidationError as error:
        raise FormError(_FORM) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        events = _read_slowly(body)
    if not 1 <= len(events) <= MAX_BATCH_EVENTS:
        raise FormError(f"{_FORM}, and has {len(events)}")
    return events


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
        verdicts: one per event of the batch: its id as it was sent, and why it is rejected, or None where it is valid.
    """

    events: list[StoredEvent]
    verdicts: list[tuple[str, str | None]]

    def answer(self, new: Sequence[bool]) -> BatchEventResponse:
        """The verdicts; `new` says of each of `events` whether the store did not hold it before."""
        fresh = iter(new)
        results = []
        for event_id, error in self.verdicts:
            why = error if error is not None else None if next(fresh) else _DUPLICATE
            results.append(BatchEventResult(event_id=event_id, status=ACCEPTED if why is None else REJECTED, error=why))
        accepted = sum(new)
        return BatchEventResponse(accepted=accepted, rejected=len(results) - accepted, results=results)


def judge(raws: Sequence[EventText], instance_id: UUID) -> Judged:
    """Look at each event of a batch that was sent with a key of `instance_id`.

    Raises:
        BrokenJsonError: an event is no JSON.
        WrongInstanceError: an event names another instance.
    """
    own = str(instance_id)
    judged = Judged([], [])
    named: str | None
    verdict: tuple[str, str | None]
    for place, raw in enumerate(raws):
        decoded = decode_event(raw)
        if isinstance(decoded, Bad):
            named, verdict = decoded.instance_id, (decoded.event_id, decoded.error)
        else:
            fields = decoded.fields
            named, verdict = fields.instance_id, (fields.event_id, None)
            judged.events.append(StoredEvent(bytes.fromhex(fields.event_id.replace("-", "")), decoded.timestamp_ms, fields))
        if named is not None and named != own and named.lower() != own:
            raise WrongInstanceError(f"event {place} of the batch names the instance {named}, and the API key belongs to another")
        judged.verdicts.append(verdict)
    return judged
