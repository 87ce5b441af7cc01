"""Kinds of field: what a value may be, in one place.

Every field of a wire type carries one of these under `metadata["kind"]`. From them come the validation here, the server's
fast decoder, the OpenAPI document and the table of fields in the documents.

A kind's `convert(value)` returns the value in its Python form, or raises `Misfit`. It takes both forms of a value: what
JSON gives (`"low"`, a list) and what Python code passes (`Complexity.LOW`, a tuple). `bool` is no number here, NaN and
the infinities are no floats, and text must be encodable as UTF-8 and free of NUL, since stores take no other.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from mosaic_telemetry.schema.errors import FieldError

__all__ = [
    "Choice",
    "Choices",
    "Constant",
    "Flag",
    "Integer",
    "Kind",
    "Misfit",
    "Number",
    "NumberMap",
    "Optional",
    "Text",
    "TextMap",
    "Timestamp",
    "UuidText",
    "Value",
]

_HUGE = float("inf")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


class Misfit(Exception):  # noqa: N818 - a verdict that `check` turns into errors, never one that reaches a caller
    """A value that a kind does not take; `errors` holds the paths below the field where it is nested."""

    def __init__(self, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(*errors)
        self.errors = errors


class Kind(Protocol):
    """What a field may hold."""

    @property
    def bound(self) -> str:
        """A phrase that completes "is not …"."""

    def convert(self, value: Any) -> Any:
        """The value in its Python form; raises `Misfit`."""


class Value:
    """A kind is what it is made of: two of the same class and parameters are equal.

    Plain classes, since making fifteen dataclasses would take a fifth of the import of the whole SDK.
    """

    __slots__: tuple[str, ...] = ()
    __match_args__: tuple[str, ...] = ()

    def _parameters(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._parameters() == self._parameters()

    def __hash__(self) -> int:
        return hash((type(self), self._parameters()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._parameters()))})"


class Integer(Value):
    """A whole number from `minimum` to `maximum`, both included."""

    __slots__ = __match_args__ = ("minimum", "maximum")

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum = minimum
        self.maximum = maximum

    @property
    def bound(self) -> str:
        return f"an integer from {self.minimum:,} to {self.maximum:,}"

    def convert(self, value: Any) -> int:
        if type(value) is not int:
            if isinstance(value, (bool, float)):
                raise Misfit
            try:
                value = operator.index(value)  # NumPy's integers, and subclasses of int
            except Exception as error:
                raise Misfit from error
        if self.minimum <= value <= self.maximum:
            return int(value)
        raise Misfit


class Number(Value):
    """A finite number from `minimum` to `maximum`, both included."""

    __slots__ = __match_args__ = ("minimum", "maximum")

    def __init__(self, minimum: float, maximum: float = math.inf) -> None:
        self.minimum = minimum
        self.maximum = maximum

    @property
    def bound(self) -> str:
        if self.maximum == math.inf:
            return f"a number of at least {self.minimum}"
        return f"a number from {self.minimum} to {self.maximum}"

    def convert(self, value: Any) -> float:
        if type(value) is not float:
            if isinstance(value, (bool, str, bytes, bytearray)):
                raise Misfit
            try:
                value = float(value)
            except Exception as error:
                raise Misfit from error
        if self.minimum <= value <= self.maximum and value != math.inf:
            return value  # type: ignore[no-any-return]  # narrowed to float above, which mypy cannot follow from Any
        raise Misfit


class Flag(Value):
    """True or false."""

    @property
    def bound(self) -> str:
        return "true or false"

    def convert(self, value: Any) -> bool:
        if value is True or value is False:
            return value
        raise Misfit


def _plain(value: Any) -> str:
    """`value` as an exact `str` that UTF-8 can encode; a subclass is copied without running code of its own."""
    if not isinstance(value, str):
        raise Misfit
    text = str.__str__(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Misfit from error
    if "\0" in text:
        raise Misfit
    return text


class Text(Value):
    """Text of `shortest` to `longest` characters (code points)."""

    __slots__ = __match_args__ = ("longest", "shortest")

    def __init__(self, longest: int, shortest: int = 0) -> None:
        self.longest = longest
        self.shortest = shortest

    @property
    def bound(self) -> str:
        return f"text of {self.shortest} to {self.longest} characters" if self.shortest else f"text of at most {self.longest} characters"

    def convert(self, value: Any) -> str:
        text = _plain(value)
        if self.shortest <= len(text) <= self.longest:
            return text
        raise Misfit


class UuidText(Value):
    """A UUID in its canonical form of 36 characters (RFC 9562), in either case."""

    @property
    def bound(self) -> str:
        return "a UUID such as 0190b2c4-7d3f-7a51-9c2e-3f5a6b7c8d9e"

    def convert(self, value: Any) -> str:
        text = _plain(value)
        if _UUID.fullmatch(text):
            return text
        raise Misfit


class Timestamp(Value):
    """A moment as ISO 8601 text with a zone, as `datetime.fromisoformat` reads it."""

    @property
    def bound(self) -> str:
        return "an ISO 8601 time with a zone such as 2026-02-07T10:00:00.000Z"

    def convert(self, value: Any) -> str:
        # Imported here: reporting an event writes a time but never reads one, and datetime costs 1 to 3 ms of import.
        from datetime import UTC, datetime

        text = _plain(value)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise Misfit
            moment.astimezone(UTC)  # OverflowError for a moment outside the years 1 to 9999
        except (ValueError, OverflowError) as error:
            raise Misfit from error
        return text


class Constant(Value):
    """One text and no other."""

    __slots__ = __match_args__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    @property
    def bound(self) -> str:
        return f'"{self.value}"'

    def convert(self, value: Any) -> str:
        if isinstance(value, str) and str.__eq__(value, self.value) is True:
            return self.value
        raise Misfit


class Choice(Value):
    """A member of an enum, or its text."""

    __slots__ = __match_args__ = ("enum",)

    def __init__(self, enum: type[StrEnum]) -> None:
        self.enum = enum

    @property
    def bound(self) -> str:
        return "one of " + ", ".join(self.enum)

    def convert(self, value: Any) -> StrEnum:
        if type(value) is self.enum:
            return value
        member = _members(self.enum).get(_plain(value))
        if member is None:
            raise Misfit
        return member


@cache
def _members(enum: type[StrEnum]) -> dict[str, StrEnum]:
    return {member.value: member for member in enum}


class Choices(Value):
    """A list of members of an enum; kept as a tuple, so that what was reported cannot change afterwards."""

    __slots__ = __match_args__ = ("enum",)

    def __init__(self, enum: type[StrEnum]) -> None:
        self.enum = enum

    @property
    def bound(self) -> str:
        return "a list of " + ", ".join(self.enum)

    def convert(self, value: Any) -> tuple[StrEnum, ...]:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise Misfit
        choice = Choice(self.enum)
        members = [choice.convert(item) for item in value]
        return tuple(members if isinstance(value, (list, tuple)) else sorted(members))


class Optional(Value):
    """Another kind, or null."""

    __slots__ = __match_args__ = ("kind",)

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    @property
    def bound(self) -> str:
        return f"{self.kind.bound}, or null"

    def convert(self, value: Any) -> Any:
        return None if value is None else self.kind.convert(value)


class NumberMap(Value):
    """An open map of text to numbers (contract, section 4); entries that are no finite numbers are left out."""

    @property
    def bound(self) -> str:
        return "an object of numbers"

    def convert(self, value: Any) -> dict[str, float]:
        if not isinstance(value, Mapping):
            raise Misfit
        return {str(key): item for key, item in value.items() if isinstance(item, (int, float)) and not isinstance(item, bool) and -_HUGE < item < _HUGE}


class TextMap(Value):
    """A map of text to text or null."""

    @property
    def bound(self) -> str:
        return "an object of texts and nulls"

    def convert(self, value: Any) -> dict[str, str | None]:
        if not isinstance(value, Mapping):
            raise Misfit
        return {str(key): None if item is None else str(item) for key, item in value.items()}
