"""Wire fields: a dataclass field with its kind, meaning and unit, and what follows from them: checking and building objects."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, TypeVar

from mosaic_telemetry.schema.errors import MISSING, FieldError, ValidationError
from mosaic_telemetry.schema.kinds import (
    Choice,
    Choices,
    Constant,
    Flag,
    Integer,
    Kind,
    Misfit,
    Number,
    NumberMap,
    Optional,
    Text,
    TextMap,
    Timestamp,
    UuidText,
    Value,
)
from mosaic_telemetry.schema.record import NO_DEFAULT, RecordField

__all__ = [
    "Choice",
    "Choices",
    "Constant",
    "Flag",
    "Integer",
    "Kind",
    "ListOf",
    "Misfit",
    "Nested",
    "Number",
    "NumberMap",
    "Optional",
    "Text",
    "TextMap",
    "Timestamp",
    "UuidText",
    "check",
    "from_dict",
    "kinds_of",
    "meta",
    "optional_of",
]

T = TypeVar("T")


def meta(kind: Kind, doc: str = "", *, unit: str = "", auto: bool = False) -> dict[str, Any]:
    """Metadata of a wire field: its kind, what it means, its unit, and whether the builder fills it in (`auto`)."""
    return {"kind": kind, "doc": doc, "unit": unit, "auto": auto}


class Nested(Value):
    """An object of another wire type; taken as it is, or from a mapping."""

    __slots__ = __match_args__ = ("cls",)

    def __init__(self, cls: type) -> None:
        self.cls = cls

    @property
    def bound(self) -> str:
        return f"a {self.cls.__name__} object"

    def convert(self, value: Any) -> Any:
        if isinstance(value, self.cls):
            return value
        if not isinstance(value, Mapping):
            raise Misfit
        try:
            return from_dict(self.cls, value)
        except ValidationError as error:
            raise Misfit(error.errors) from error


class ListOf(Value):
    """A list of values of one kind, from `shortest` to `longest` of them."""

    __slots__ = __match_args__ = ("kind", "shortest", "longest")

    def __init__(self, kind: Kind, shortest: int = 0, longest: int | None = None) -> None:
        self.kind = kind
        self.shortest = shortest
        self.longest = longest

    @property
    def bound(self) -> str:
        if self.longest is None:
            return "a list"
        return f"a list of {self.shortest} to {self.longest}"

    def convert(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise Misfit
        if len(value) < self.shortest or (self.longest is not None and len(value) > self.longest):
            raise Misfit
        converted, errors = [], []
        for index, item in enumerate(value):
            try:
                converted.append(self.kind.convert(item))
            except Misfit as misfit:
                below = misfit.errors or (FieldError("", item, self.kind.bound),)
                errors += [FieldError(f"[{index}].{e.field}" if e.field else f"[{index}]", e.value, e.bound) for e in below]
        if errors:
            raise Misfit(tuple(errors))
        return tuple(converted)


def check(values: Mapping[str, Any], kinds: Iterable[tuple[str, Kind]], optional: Container[str] = ()) -> tuple[dict[str, Any], list[FieldError]]:
    """Convert the fields named by `kinds`; returns what fits, by name, and one error for each that does not or is missing.

    Names outside `kinds` are passed over, and a name in `optional` may be absent. Whatever a foreign object raises while
    it is looked at counts as a misfit.
    """
    converted: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, kind in kinds:
        value = values.get(name, MISSING)
        if value is MISSING:
            if name not in optional:
                errors.append(FieldError(name, MISSING, kind.bound))
            continue
        try:
            converted[name] = kind.convert(value)
        except Misfit as misfit:
            below = [FieldError(_path(name, e.field), e.value, e.bound) for e in misfit.errors]
            errors += below or [FieldError(name, value, kind.bound)]
        except Exception:  # noqa: BLE001 - a foreign object's methods may raise anything; it is the value that does not fit
            errors.append(FieldError(name, value, kind.bound))
    return converted, errors


def _path(name: str, below: str) -> str:
    return name + below if below.startswith("[") else f"{name}.{below}"


_kinds: dict[Any, tuple[tuple[str, Kind], ...]] = {}


def kinds_of(cls: Any) -> tuple[tuple[str, Kind], ...]:
    """(name, kind) of each wire field of the record or dataclass `cls`, in their order."""
    known = _kinds.get(cls)
    if known is None:
        known = _kinds[cls] = tuple((item.name, item.metadata["kind"]) for item in _fields_of(cls))
    return known


def optional_of(cls: Any) -> frozenset[str]:
    """Names of the fields of `cls` that may be absent: those with a default."""
    return frozenset(item.name for item in _fields_of(cls) if item.default is not NO_DEFAULT)


def _fields_of(cls: Any) -> tuple[RecordField, ...]:
    known: tuple[RecordField, ...] | None = getattr(cls, "__record_fields__", None)
    if known is not None:
        return known
    import dataclasses

    found = []
    for item in dataclasses.fields(cls):
        one = RecordField(NO_DEFAULT if item.default is dataclasses.MISSING else item.default, item.metadata, kw_only=bool(item.kw_only), repr=item.repr)
        one.name = item.name
        found.append(one)
    return tuple(found)


def from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
    """An object of the wire type `cls` from a mapping; unknown names are passed over, absent optional fields take their default.

    Raises:
        ValidationError: naming every field that is missing or does not fit.
    """
    if not isinstance(values, Mapping):
        raise ValidationError(cls.__name__, [FieldError("object", values, "an object")])
    converted, errors = check(values, kinds_of(cls), optional_of(cls))
    if errors:
        raise ValidationError(cls.__name__, errors)
    return cls(**converted)
