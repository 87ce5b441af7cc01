"""Shell commands as far as needed to tell what their one exit status proves: lists, pipelines, groups, quotes, here-documents.

Law: `parse` never raises. What it does not understand (loops, conditions, functions, unbalanced quotes) becomes an `Opaque`
that still lists its simple commands, but whose status proves nothing about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["AndOr", "Node", "Opaque", "Pipeline", "Script", "Simple", "parse", "simple_commands"]

_CONTROL = frozenset({"[[", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "select", "then", "until", "while"})
_OPERATOR = re.compile(r"&&|\|\||\|&|;;|[;|&\n()]")
_REDIRECTION = re.compile(r"\d*(?:<<<|<<-?|>>|>\||<>|[<>]&?)|&>>?")
_LONGEST = 20_000
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Simple:
    """One command: its words, unquoted, without redirections."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by `|`; `negated` by a `!` before them."""

    commands: tuple[Node, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AndOr:
    """Pipelines joined by `&&` and `||`: (operator, command), with an empty operator before the first."""

    parts: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Script:
    """Commands one after the other: (command, whether it runs in the background)."""

    parts: tuple[tuple[Node, bool], ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """Commands whose order and conditions were not understood."""

    commands: tuple[Simple, ...]


Node = Simple | Pipeline | AndOr | Script | Opaque


class _NotUnderstoodError(Exception):
    """The text is no such shell as this module knows."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    operator: bool = False
    quoted: bool = False


def parse(command: str) -> Node:
    """The structure of a command line."""
    try:
        return _Parser(list(_tokens(command[:_LONGEST]))).whole()
    except _NotUnderstoodError:
        return Opaque(tuple(_flat(command[:_LONGEST])))


def simple_commands(node: Node) -> Iterator[Simple]:
    """The simple commands of a structure, in their order."""
    match node:
        case Simple():
            yield node
        case Opaque(commands):
            yield from commands
        case Pipeline(commands):
            for command in commands:
                yield from simple_commands(command)
        case AndOr(parts):
            for _, part in parts:
                yield from simple_commands(part)
        case Script(steps):
            for step, _ in steps:
                yield from simple_commands(step)


def _flat(command: str) -> Iterator[Simple]:
    """The simple commands of a text that has no known structure: whatever stands between operators."""
    words: list[str] = []
    try:
        for token in _tokens(command):
            if token.operator:
                if words:
                    yield Simple(tuple(words))
                words = []
            elif words or token.text not in _CONTROL:
                words.append(token.text)
    except _NotUnderstoodError:
        pass
    if words:
        yield Simple(tuple(words))


_ENDS = frozenset({_Token(";", operator=True), _Token("\n", operator=True), _Token(")", operator=True), _Token("}")})


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Script:
        """All of the tokens as one script."""
        script = self._script(0)
        if self._rest:
            raise _NotUnderstoodError
        return script

    @property
    def _rest(self) -> bool:
        return self._at < len(self._tokens)

    def _operator(self, *texts: str) -> str | None:
        """The next token's text where it is one of these operators, which is then consumed."""
        if self._rest and self._tokens[self._at].operator and self._tokens[self._at].text in texts:
            self._at += 1
            return self._tokens[self._at - 1].text
        return None

    def _script(self, depth: int) -> Script:
        if depth > _DEEPEST:
            raise _NotUnderstoodError
        parts: list[tuple[Node, bool]] = []
        while True:
            while self._operator("\n", ";"):
                pass
            if not self._rest or self._tokens[self._at] in {_Token(")", operator=True), _Token("}")}:
                return Script(tuple(parts))
            node = self._and_or(depth)
            background = self._operator("&") is not None
            parts.append((node, background))
            if self._rest and not background and self._tokens[self._at] not in _ENDS:
                raise _NotUnderstoodError

    def _and_or(self, depth: int) -> Node:
        parts = [("", self._pipeline(depth))]
        while operator := self._operator("&&", "||"):
            while self._operator("\n"):
                pass
            parts.append((operator, self._pipeline(depth)))
        return parts[0][1] if len(parts) == 1 else AndOr(tuple(parts))

    def _pipeline(self, depth: int) -> Node:
        negated = False
        while self._rest and self._tokens[self._at] == _Token("!"):
            negated = not negated
            self._at += 1
        commands = [self._command(depth)]
        while self._operator("|", "|&"):
            while self._operator("\n"):
                pass
            commands.append(self._command(depth))
        return commands[0] if len(commands) == 1 and not negated else Pipeline(tuple(commands), negated)

    def _command(self, depth: int) -> Node:
        if self._operator("("):
            inner = self._script(depth + 1)
            if not self._operator(")"):
                raise _NotUnderstoodError
            return inner
        if self._rest and self._tokens[self._at] == _Token("{"):
            self._at += 1
            inner = self._script(depth + 1)
            if not self._rest or self._tokens[self._at] != _Token("}"):
                raise _NotUnderstoodError
            self._at += 1
            return inner
        words: list[str] = []
        while self._rest and not self._tokens[self._at].operator:
            token = self._tokens[self._at]
            if not words and not token.quoted and token.text in _CONTROL:
                raise _NotUnderstoodError
            words.append(token.text)
            self._at += 1
        if not words:
            raise _NotUnderstoodError
        return Simple(tuple(words))


def _tokens(text: str) -> Iterator[_Token]:
    """Words and operators; redirections, comments and here-documents are left out."""
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
            yield _Token(found.group(), operator=True)
            if found.group() == "\n":
                for delimiter, indented in delimiters:
                    at = _after_document(text, at, delimiter, indented=indented)
                delimiters = []
        else:
            word, quoted, at = _word(text, at)
            if not drop_next:
                yield _Token(word, quoted=quoted)
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
                raise _NotUnderstoodError
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
    raise _NotUnderstoodError


def _substitution_end(text: str, at: int) -> int:
    """The position after a command substitution, which is kept as it is written."""
    if text[at] == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise _NotUnderstoodError
        return end + 1
    depth = 0
    for position in range(at + 1, len(text)):
        if text[position] == "(":
            depth += 1
        elif text[position] == ")":
            depth -= 1
            if depth == 0:
                return position + 1
    raise _NotUnderstoodError
