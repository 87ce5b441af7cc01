"""The fast decoder of events: msgspec types made from the schema's field metadata.

It is a short cut, never a judge: what it takes, the schema takes with the same values; what it does not take is looked at
again by the schema, whose word is final and whose message names every bad field. A whole batch is tried first; where that
fails, event by event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from mosaic_telemetry.engine.errors import BrokenJsonError
from mosaic_telemetry.schema import TaskCompletionEvent, ValidationError, from_dict
from mosaic_telemetry.schema.errors import short_repr
from mosaic_telemetry.schema.fields import (
    Choice,
    Choices,
    Constant,
    Flag,
    Integer,
    Kind,
    Number,
    Optional,
    Text,
    Timestamp,
    UuidText,
    kinds_of,
    optional_of,
)

__all__ = ["Bad", "Batch", "EventText", "Good", "Parsed", "decode_batch", "decode_event", "decode_quickly", "epoch_ms", "fast_type", "id_bytes", "parse_json"]

_UUID_LENGTH = 36
# Over many ids at once, each with a comma behind it: a pattern in the msgspec type would cost as much as all the rest of an event.
_are_uuids = re.compile(r"(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12},)+").fullmatch
_NUL = b"\\u0000"  # the one way to write the character that no text may hold
_DIGITS = 20  # more than any bound of the contract has
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


# Each is the msgspec type that takes what the kind takes; of what it takes beyond, `decode_batch` and `decode_quickly` take care.
_FORMS: dict[type, Callable[[Any], Any]] = {
    Integer: lambda kind: Annotated[int, msgspec.Meta(ge=kind.minimum, le=kind.maximum)],
    Number: lambda kind: Annotated[float, msgspec.Meta(ge=kind.minimum, le=kind.maximum)],
    Flag: lambda _: bool,
    Text: lambda kind: Annotated[str, msgspec.Meta(min_length=kind.shortest, max_length=kind.longest)],
    UuidText: lambda _: Annotated[str, msgspec.Meta(min_length=_UUID_LENGTH, max_length=_UUID_LENGTH)],
    Timestamp: lambda _: str,
    Constant: lambda kind: Literal[kind.value],
    Choice: lambda kind: Literal[tuple(member.value for member in kind.enum)],
    Choices: lambda kind: list[Literal[tuple(member.value for member in kind.enum)]],  # type: ignore[misc]  # a type made at run time
    Optional: lambda kind: _form(kind.kind) | None,
}


def _form(kind: Kind) -> Any:
    return _FORMS[type(kind)](kind)


@cache
def fast_type() -> type[msgspec.Struct]:
    """The event as a msgspec Struct, with the contract's names and bounds."""
    defaults = {item.name: item.default for item in fields(TaskCompletionEvent)}
    wanted: list[Any] = []
    for name, kind in kinds_of(TaskCompletionEvent):
        optional = name in optional_of(TaskCompletionEvent)
        wanted.append((name, _form(kind), defaults[name]) if optional else (name, _form(kind)))
    return msgspec.defstruct("FastEvent", wanted, frozen=True, kw_only=True, gc=False)


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(fast_type())


@cache
def _batch_decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(msgspec.defstruct("FastBatch", [("events", list[fast_type()])], gc=False))  # type: ignore[misc]  # a type made at run time


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one instance that the contract takes, all of them.

    Attributes:
        fields: an object with the contract's fields for each.
        ids: their ids, as they were sent.
        timestamps_ms: their timestamps, in milliseconds since 1970.
    """

    fields: Sequence[Any]
    ids: list[str]
    timestamps_ms: list[int]


def decode_batch(body: bytes, instance_id: str) -> Batch | None:
    """The body of a batch in which every event is good and of this instance; None for any other body, whatever it is."""
    if _NUL in body:
        return None
    try:
        events = _batch_decoder().decode(body).events
        stamps = [epoch_ms(event.timestamp) for event in events]
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None
    ids = [event.event_id for event in events]
    if not ids or not _are_uuids(",".join(ids) + ",") or any(event.instance_id != instance_id for event in events):
        return None
    return Batch(events, ids, stamps)


def id_bytes(ids: Sequence[str]) -> list[bytes]:
    """The 16 bytes of each UUID in its canonical form."""
    data = bytes.fromhex("".join(ids).replace("-", ""))
    return [data[place : place + 16] for place in range(0, len(data), 16)]


@dataclass(frozen=True, slots=True)
class Good:
    """An event that the contract takes.

    Attributes:
        fields: an object with the contract's fields.
        timestamp_ms: its timestamp, in milliseconds since 1970.
    """

    fields: Any
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Bad:
    """An event that the contract does not take.

    Attributes:
        event_id: as it was sent; empty where it was no text.
        instance_id: where it is a UUID; None otherwise.
        error: every bad field with value and bound, in one line.
    """

    event_id: str
    instance_id: str | None
    error: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """An event whose JSON text was read before; `value` is what it says."""

    value: Any


EventText: TypeAlias = bytes | msgspec.Raw | Parsed


def decode_event(raw: EventText) -> Good | Bad:
    """An event from its JSON text.

    Raises:
        BrokenJsonError: the text is no JSON.
    """
    if isinstance(raw, Parsed):
        return _check(raw.value)
    text = bytes(raw)
    return decode_quickly(text) or _check(parse_json(text))


def decode_quickly(text: bytes) -> Good | None:
    """An event from its JSON text; None where that is none that can be taken without a closer look."""
    try:
        event = _decoder().decode(text)
        stamp = epoch_ms(event.timestamp)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None
    if _NUL in text or not _are_uuids(f"{event.event_id},{event.instance_id},"):
        return None
    return Good(event, stamp)


def _check(values: Any) -> Good | Bad:
    if not isinstance(values, dict):
        return Bad("", None, f"the event {short_repr(values)} is not an object")
    try:
        event = from_dict(TaskCompletionEvent, values)
    except ValidationError as error:
        wrong = {item.field for item in error.errors}
        event_id = values.get("event_id")
        instance_id = None if "instance_id" in wrong else values["instance_id"]
        return Bad(event_id if isinstance(event_id, str) else "", instance_id, "; ".join(map(str, error.errors)))
    return Good(event, epoch_ms(event.timestamp))


def epoch_ms(timestamp: str) -> int:
    """An ISO 8601 time with a zone as milliseconds since 1970.

    Raises:
        ValueError: it is none.
        OverflowError: it lies outside the years 1 to 9999.
    """
    moment = datetime.fromisoformat(timestamp)
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError("a time without a zone")
        moment = moment.astimezone(UTC)
    return (moment - _EPOCH) // _MILLISECOND


def parse_json(data: bytes) -> Any:
    """What a JSON text in UTF-8 says.

    Raises:
        BrokenJsonError: it is no JSON as RFC 8259 has it; NaN and the infinities are none.
    """
    try:
        return json.loads(data.decode(), parse_constant=_refuse, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise BrokenJsonError(f"the body is not JSON: byte {error.start} is no UTF-8") from error
    except ValueError as error:
        raise BrokenJsonError(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise BrokenJsonError("the body is not JSON that can be read: it is nested too deeply") from error


def _refuse(literal: str) -> Any:
    raise ValueError(f"{literal} is no JSON number")


def _integer(digits: str) -> int | float:
    # Python refuses to read integers of thousands of digits. No bound of the contract is near: infinity fits as little.
    return int(digits) if len(digits) <= _DIGITS else float(digits)
