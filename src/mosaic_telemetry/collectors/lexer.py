"""The words and operators of a shell command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["NotUnderstoodError", "Token", "tokens"]

_OPERATOR = re.compile(r"&&|\|\||\|&|;;|[;|&\n()]")
_REDIRECTION = re.compile(r"\d*(?:<<<|<<-?|>>|>\||<>|[<>]&?)|&>>?")


class NotUnderstoodError(Exception):
    """The text is no such shell as this module knows."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word or an operator; `quoted` tells a word with quotes in it from a keyword."""

    text: str
    operator: bool = False
    quoted: bool = False


def tokens(text: str) -> Iterator[Token]:
    """Words and operators; redirections, comments and here-documents are left out.

    Raises:
        NotUnderstoodError: a quote or a substitution that never ends.
    """
    at = 0
    drop_next = False  # the next word is the target of a redirection
    delimiters: list[tuple[str, bool]] = []
    wants_delimiter: bool | None = None
    while at < len(text):
        char = text[at]
        if char in " \t\r" or text.startswith("\\\n", at):
            at += 2 if char == "\\" else 1
        elif char == "#" and (at == 0 or text[at - 1] in " \t\n;&|("):
            at = _find(text, "\n", at)
        elif found := _REDIRECTION.match(text, at):
            at = found.end()
            operator = found.group().lstrip("0123456789")
            wants_delimiter = operator.endswith("-") if operator in {"<<", "<<-"} else None
            drop_next = True
        elif found := _OPERATOR.match(text, at):
            at = found.end()
            yield Token(found.group(), operator=True)
            if found.group() == "\n":
                for delimiter, indented in delimiters:
                    at = _after_document(text, at, delimiter, indented=indented)
                delimiters = []
        else:
            word, quoted, at = _word(text, at)
            if not drop_next:
                yield Token(word, quoted=quoted)
            elif wants_delimiter is not None:
                delimiters.append((word, wants_delimiter))
                wants_delimiter = None
            drop_next = False


def _find(text: str, what: str, start: int) -> int:
    found = text.find(what, start)
    return len(text) if found < 0 else found


def _after_document(text: str, at: int, delimiter: str, *, indented: bool) -> int:
    """The position after a here-document's last line; an unfinished one takes all the rest."""
    while at < len(text):
        end = _find(text, "\n", at)
        line = text[at:end]
        at = end + 1
        if (line.lstrip("\t") if indented else line) == delimiter:
            break
    return min(at, len(text))


def _word(text: str, at: int) -> tuple[str, bool, int]:
    """The word that starts at `at`: its text without quotes, whether any of it was quoted, and where it ends."""
    parts: list[str] = []
    quoted = False
    while at < len(text):
        char = text[at]
        if char in " \t\r\n;|&()<>":
            break
        if char == "\\":
            parts.append(text[at + 1 : at + 2])
            at += 2
            quoted = True
        elif char == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise NotUnderstoodError
            parts.append(text[at + 1 : end])
            at, quoted = end + 1, True
        elif char == '"':
            inner, at = _double_quoted(text, at + 1)
            parts.append(inner)
            quoted = True
        elif text.startswith(("$(", "`"), at):
            end = _substitution_end(text, at)
            parts.append(text[at:end])
            at, quoted = end, True
        else:
            parts.append(char)
            at += 1
    return "".join(parts), quoted, at


def _double_quoted(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while at < len(text):
        char = text[at]
        if char == '"':
            return "".join(parts), at + 1
        if char == "\\":
            parts.append(text[at + 1 : at + 2])
            at += 2
        elif text.startswith(("$(", "`"), at):
            end = _substitution_end(text, at)
            parts.append(text[at:end])
            at = end
        else:
            parts.append(char)
            at += 1
    raise NotUnderstoodError


def _substitution_end(text: str, at: int) -> int:
    """The position after a command substitution, which is kept as it is written."""
    if text[at] == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise NotUnderstoodError
        return end + 1
    depth = 0
    for position in range(at + 1, len(text)):
        if text[position] == "(":
            depth += 1
        elif text[position] == ")":
            depth -= 1
            if depth == 0:
                return position + 1
    raise NotUnderstoodError
