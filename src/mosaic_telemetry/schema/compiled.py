"""Straight-line code for the two things that a reporting process does all day: validating fields, and writing JSON.

The code is generated from the kinds of the fields, as `dataclasses` generates `__init__`, and only for the ordinary case:
exact types, ASCII text. For anything else it gives up and the general code decides (`check` in `fields`, `json`), so that
both never disagree on what is valid; a test holds them against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

from mosaic_telemetry.schema.kinds import Choice, Choices, Constant, Flag, Integer, Kind, Number, Optional, Text

FieldCheck = Callable[[Mapping[str, Any]], dict[str, Any] | None]
FieldEncoder = Callable[[Mapping[str, Any]], bytes | None]

__all__ = ["FieldCheck", "FieldEncoder", "compile_check", "compile_encode"]


def compile_check(kinds: Iterable[tuple[str, Kind]]) -> FieldCheck:
    """A function that returns the converted fields, in the order of `kinds`, or None where the general code has to look.

    It may raise KeyError and TypeError as well, with the same meaning.
    """
    names: dict[str, Any] = {}
    lines, results = [], []
    for index, (name, kind) in enumerate(kinds):
        value = f"v{index}"
        optional = isinstance(kind, Optional)
        inner = kind.kind if isinstance(kind, Optional) else kind
        lines.append(f"{value} = p.get({name!r})" if optional else f"{value} = p[{name!r}]")
        guard = _guard(inner, value, index, names)
        if guard is None:
            return lambda _: None  # a kind that has no straight-line form
        steps = [f"if not ({guard}): return None", *_conversion(inner, value, index)]
        lines += [f"if {value} is not None:", *("    " + step for step in steps)] if optional else steps
        results.append(f"{name!r}: {value}")
    body = "".join(f"    {line}\n" for line in lines)
    compiled: FieldCheck = _function(f"def compiled(p):\n{body}    return {{{', '.join(results)}}}\n", names)
    return compiled


def _guard(kind: Kind, value: str, index: int, names: dict[str, Any]) -> str | None:  # noqa: PLR0911 - a case, a line
    """An expression that is true for ordinary values that fit."""
    match kind:
        case Integer(minimum, maximum):
            return f"type({value}) is int and {minimum} <= {value} <= {maximum}"
        case Number(minimum, maximum):
            names["inf"] = float("inf")
            return f"(type({value}) is float or type({value}) is int) and {minimum!r} <= {value} <= {maximum!r} and {value} != inf"
        case Flag():
            return f"{value} is True or {value} is False"
        case Text(longest, shortest):
            return f"type({value}) is str and {shortest} <= len({value}) <= {longest} and {value}.isascii() and '\\0' not in {value}"
        case Choice(enum):
            names[f"e{index}"] = enum
            names[f"m{index}"] = {member.value: member for member in enum}
            return f"type({value}) is e{index} or (type({value}) is str and {value} in m{index})"
        case Choices(enum):
            names[f"m{index}"] = {member.value: member for member in enum}
            return f"type({value}) is list or type({value}) is tuple"
    return None


def _conversion(kind: Kind, value: str, index: int) -> list[str]:
    """Statements that turn a value that fits into its Python form."""
    match kind:
        case Number():
            return [f"{value} = float({value})"]
        case Choice():
            return [f"{value} = m{index}[{value}]"]
        case Choices():
            return [f"if {value}:", f"    {value} = tuple([m{index}[i] for i in {value}])", f"else: {value} = ()"]
    return []


def compile_encode(kinds: Iterable[tuple[str, Kind]]) -> FieldEncoder:
    """A function that returns the JSON form of fields of the right types, or None where the general code has to look.

    It may raise KeyError, TypeError and AttributeError as well, with the same meaning.
    """
    names: dict[str, Any] = {"text": encode_basestring_ascii, "gates": _gates}
    checks, parts = [], []
    for index, (name, kind) in enumerate(kinds):
        inner = kind.kind if isinstance(kind, Optional) else kind
        value = f"p[{name!r}]"
        form = f"{{text({value})}}"  # raises TypeError for what is no text
        match inner:
            case Integer():
                checks.append(f"type({value}) is int")
                form = f"{{{value}}}"
            case Number():
                checks.append(f"type({value}) is float and -1e308 < {value} < 1e308")
                form = f"{{{value}!r}}"
            case Flag():
                checks.append(f"({value} is True or {value} is False)")
                form = f"{{'true' if {value} else 'false'}}"
            case Choice(enum):
                names[f"j{index}"] = {member: f'"{member.value}"' for member in enum} | {None: "null"}
                form = f"{{j{index}[{value}]}}"
            case Choices():
                form = f"{{gates({value})}}"
            case Constant(constant):
                checks.append(f"{value} == {constant!r}")
                form = f'"{constant}"'
        if isinstance(kind, Optional) and not isinstance(inner, Choice):
            form = f"{{'null' if {value} is None else {form[1:-1]}}}"
        parts.append(f'"{name}":{form}')
    template = "{{" + ",".join(parts) + "}}"
    source = f"def compiled(p):\n    if {' and '.join(checks)}:\n        return f'''{template}'''.encode('ascii')\n    return None\n"
    compiled: FieldEncoder = _function(source, names)
    return compiled


def _gates(values: Any) -> str:
    if type(values) is not tuple:
        raise TypeError
    return '["' + '","'.join([value._value_ for value in values]) + '"]' if values else "[]"


def _function(source: str, names: dict[str, Any]) -> Any:
    exec(source, names)  # noqa: S102 - the source is made above, of names and bounds that stand in this package
    return names["compiled"]
