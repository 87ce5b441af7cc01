"""Frozen value classes as `dataclasses` makes them, for those that every reporting process imports.

`dataclasses` imports `inspect`, and with it a third of what the whole SDK takes to import. A record is a frozen dataclass to
everybody else: what `dataclasses.fields`, `replace`, `asdict` and `inspect.signature` look for is made when they look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, dataclass_transform

__all__ = ["NO_DEFAULT", "RecordField", "field", "record"]

T = TypeVar("T")
NO_DEFAULT: Any = object()
"""Stands where a field has no default."""


class RecordField:
    """One field of a record: name, default, metadata, whether it is given by name only, and whether `repr` shows it."""

    __slots__ = ("default", "kw_only", "metadata", "name", "repr")

    def __init__(self, default: Any, metadata: Mapping[str, Any], *, kw_only: bool, repr: bool) -> None:  # noqa: A002 - the name that dataclasses gave it
        self.name = ""
        self.default = default
        self.metadata = metadata
        self.kw_only = kw_only
        self.repr = repr


_NOTHING: Mapping[str, Any] = MappingProxyType({})


def field(*, default: Any = NO_DEFAULT, metadata: Mapping[str, Any] = _NOTHING, kw_only: bool = False, repr: bool = True) -> Any:  # noqa: A002 - as above
    """What is to be said of a field, as `dataclasses.field`."""
    return RecordField(default, metadata, kw_only=kw_only, repr=repr)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """Make a class a record of its annotated names, as `dataclasses.dataclass(frozen=True)` would."""

    def make(cls: type[T]) -> type[T]:
        fields = []
        for name in cls.__annotations__:
            given = cls.__dict__.get(name, NO_DEFAULT)
            item = given if isinstance(given, RecordField) else RecordField(given, _NOTHING, kw_only=False, repr=True)
            item.name = name
            item.kw_only |= kw_only
            fields.append(item)
            if item.default is not NO_DEFAULT:
                setattr(cls, name, item.default)
            elif given is not NO_DEFAULT:
                delattr(cls, name)
        methods = {
            "__init__": _init,
            "__repr__": _repr,
            "__eq__": _eq,
            "__hash__": _hash,
            "__replace__": _replace,
            "__setattr__": _refuse,
            "__delattr__": _refuse,
        }
        shadows = {name: _Shadow(name) for name in ("__dataclass_fields__", "__dataclass_params__", "__signature__")}
        by_place = tuple(item.name for item in fields if not item.kw_only)
        for name, value in {**methods, **shadows, "__record_fields__": tuple(fields), "__match_args__": by_place}.items():
            setattr(cls, name, value)
        return cls

    return make


def _init(self: Any, *places: Any, **given: Any) -> None:
    by_place: tuple[str, ...] = self.__match_args__
    if len(places) > len(by_place):
        raise TypeError(f"{type(self).__name__}() takes {len(by_place)} values without a name, not {len(places)}")
    placed = dict(zip(by_place, places, strict=False))
    own = self.__dict__
    missing = []
    for item in self.__record_fields__:
        value = given.pop(item.name, item.default) if item.name not in placed else placed[item.name]
        if value is NO_DEFAULT:
            missing.append(item.name)
        own[item.name] = value
    if missing:
        raise TypeError(f"{type(self).__name__}() lacks {', '.join(missing)}")
    if given:
        raise TypeError(f"{type(self).__name__}() takes no {', '.join(given)}, or takes it once")
    finish = getattr(self, "__post_init__", None)
    if finish is not None:
        finish()


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, item.name) for item in self.__record_fields__)


def _repr(self: Any) -> str:
    shown = ", ".join(f"{item.name}={getattr(self, item.name)!r}" for item in self.__record_fields__ if item.repr)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _replace(self: Any, /, **changes: Any) -> Any:
    return type(self)(**{item.name: getattr(self, item.name) for item in self.__record_fields__} | changes)


def _refuse(self: Any, name: str, *_: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r} of {type(self).__name__}")


class _Shadow:
    """An attribute of the dataclass that a record would be, taken from one that is made when the attribute is first asked for."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute
        self._value: Any = None

    def __get__(self, instance: object, owner: Any) -> Any:
        if self._value is None:
            import dataclasses
            import inspect

            twins = []
            for item in owner.__record_fields__:
                default = dataclasses.MISSING if item.default is NO_DEFAULT else item.default
                twin: Any = dataclasses.field(default=default, metadata=item.metadata, kw_only=item.kw_only, repr=item.repr)
                twins.append((item.name, _annotation(owner, item.name), twin))
            twin_class = dataclasses.make_dataclass(owner.__name__, twins, frozen=True)
            self._value = inspect.signature(twin_class) if self._attribute == "__signature__" else getattr(twin_class, self._attribute)
        return self._value


def _annotation(cls: type, name: str) -> Any:
    return next(base.__annotations__[name] for base in reversed(cls.__mro__) if name in getattr(base, "__annotations__", {}))
