"""Shell commands as far as needed to tell what their one exit status proves: lists, pipelines, groups, quotes, here-documents.

Law: `parse` never raises. What it does not understand (loops, conditions, functions, unbalanced quotes) becomes an `Opaque`
that still lists its simple commands, but whose status proves nothing about them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mosaic_telemetry.collectors.lexer import NotUnderstoodError, Token, tokens

__all__ = ["AndOr", "Node", "Opaque", "Pipeline", "Script", "Simple", "parse", "simple_commands"]

_CONTROL = frozenset({"[[", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "select", "then", "until", "while"})
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


def parse(command: str) -> Node:
    """The structure of a command line."""
    try:
        return _Parser(list(tokens(command[:_LONGEST]))).whole()
    except NotUnderstoodError:
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
        for token in tokens(command):
            if token.operator:
                if words:
                    yield Simple(tuple(words))
                words = []
            elif words or token.text not in _CONTROL:
                words.append(token.text)
    except NotUnderstoodError:
        pass
    if words:
        yield Simple(tuple(words))


_ENDS = frozenset({Token(";", operator=True), Token("\n", operator=True), Token(")", operator=True), Token("}")})


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0

    def whole(self) -> Script:
        """All of the tokens as one script."""
        script = self._script(0)
        if self._rest:
            raise NotUnderstoodError
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
            raise NotUnderstoodError
        parts: list[tuple[Node, bool]] = []
        while True:
            while self._operator("\n", ";"):
                pass
            if not self._rest or self._tokens[self._at] in {Token(")", operator=True), Token("}")}:
                return Script(tuple(parts))
            node = self._and_or(depth)
            background = self._operator("&") is not None
            parts.append((node, background))
            if self._rest and not background and self._tokens[self._at] not in _ENDS:
                raise NotUnderstoodError

    def _and_or(self, depth: int) -> Node:
        parts = [("", self._pipeline(depth))]
        while operator := self._operator("&&", "||"):
            while self._operator("\n"):
                pass
            parts.append((operator, self._pipeline(depth)))
        return parts[0][1] if len(parts) == 1 else AndOr(tuple(parts))

    def _pipeline(self, depth: int) -> Node:
        negated = False
        while self._rest and self._tokens[self._at] == Token("!"):
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
                raise NotUnderstoodError
            return inner
        if self._rest and self._tokens[self._at] == Token("{"):
            self._at += 1
            inner = self._script(depth + 1)
            if not self._rest or self._tokens[self._at] != Token("}"):
                raise NotUnderstoodError
            self._at += 1
            return inner
        words: list[str] = []
        while self._rest and not self._tokens[self._at].operator:
            token = self._tokens[self._at]
            if not words and not token.quoted and token.text in _CONTROL:
                raise NotUnderstoodError
            words.append(token.text)
            self._at += 1
        if not words:
            raise NotUnderstoodError
        return Simple(tuple(words))
