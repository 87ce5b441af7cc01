"""What the schema reports when a value does not fit the contract.

ValueError
└── ValidationError      every bad field of one object, all at once
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["MISSING", "FieldError", "ValidationError", "one_line", "short_repr"]

_SHOWN = 60


class _Missing:
    """Stands for the value of a field that was not given."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "missing"

    def __reduce__(self) -> str:
        return "MISSING"  # the one there is, also after a journey


MISSING = _Missing()


def short_repr(value: object) -> str:
    """`repr(value)` for an error message: one line of at most 60 printable characters, and never an exception."""
    try:
        # A slice before `repr` keeps a message about a huge text as cheap as one about a short one.
        text = repr(str.__getitem__(value, slice(_SHOWN)) if isinstance(value, str) else value)
    except Exception:  # noqa: BLE001 - a foreign object's __repr__ may raise anything, and a message must still come out
        text = f"<{type(value).__name__}>"
    return one_line(text, _SHOWN)


def one_line(text: str, limit: int = 200) -> str:
    """`text` as one line of at most `limit` printable characters."""
    text = " ".join(text[: 4 * limit].split())
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


class FieldError:
    """One field that does not fit.

    Attributes:
        field: the field's name on the wire; a nested one as a path (`results[2].status`).
        value: what was given; `MISSING` where nothing was.
        bound: what the contract wants there, as a phrase ("an integer from 0 to 20").
    """

    __slots__ = ("bound", "field", "value")

    def __init__(self, field: str, value: object, bound: str) -> None:
        self.field = field
        self.value = value
        self.bound = bound

    def __str__(self) -> str:
        if self.value is MISSING:
            return f"{self.field}: missing (want {self.bound})"
        return f"{self.field}: {short_repr(self.value)} is not {self.bound}"

    def __repr__(self) -> str:
        return f"FieldError({self!s})"


class ValidationError(ValueError):
    """An object that breaks the contract; its text is one line that names every bad field with value and bound.

    Attributes:
        what: the name of the type that was wanted.
        errors: one `FieldError` a bad field, in the order of the fields.
    """

    def __init__(self, what: str, errors: Iterable[FieldError]) -> None:
        self.what = what
        self.errors = tuple(errors)
        super().__init__(f"{what}: " + "; ".join(map(str, self.errors)))

    def __reduce__(self) -> tuple[type[ValidationError], tuple[str, tuple[FieldError, ...]]]:
        return type(self), (self.what, self.errors)
