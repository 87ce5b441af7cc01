"""What one shell command proves about the quality gates in it, from its one exit status and its output.

`pytest -q && ruff check . || pyflakes calc.py` that succeeded proves a linter's pass (one of the two said so) and says nothing
about the tests, unless their own summary line does. So every way in which the commands can have gone that agrees with the
status and the output is considered, and only what holds in all of them is taken as known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from mosaic_telemetry.collectors.shell import AndOr, Node, Opaque, Pipeline, Script, Simple, parse, simple_commands
from mosaic_telemetry.collectors.summaries import missing_module, missing_tool, verdicts_in
from mosaic_telemetry.collectors.tools import gates_of, without_wrappers
from mosaic_telemetry.schema import QualityGate

__all__ = ["observe"]

Verdicts = dict[QualityGate, bool]

# Taken to succeed: they prepare or tell, and would otherwise leave every `cd app && pytest` in doubt.
_PREPARING = frozenset({"cd", "echo", "export", "mkdir", "printf", "pushd", "set", "sleep", "source", "true", "umask", "unset", ".", ":"})
_MAX_UNKNOWN = 10
_THRESHOLD = re.compile(r"fail.?under|check-coverage|threshold", re.IGNORECASE)
_SHELLS = frozenset({"bash", "dash", "sh", "zsh"})


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A simple command: the gates it ran as, how it can have ended, and whether it ran without the Python module that it needs."""

    command: Simple
    gates: frozenset[QualityGate]
    possible: tuple[bool, ...]
    missing: bool = False


def observe(command: str, *, succeeded: bool | None, output: str) -> Verdicts:
    """The gates in a command whose result is known: True for a pass, False for a failure.

    A gate whose program the shell did not find (exit status 127) did not run. A gate that ran but whose result cannot be told is
    left out.

    Args:
        command: the command line.
        succeeded: whether its exit status was 0; None where that is not known.
        output: standard output and error, as far as recorded.
    """
    node, simples = _structure(command)
    leaves = [_leaf(*simple, output) for simple in simples]
    present = _union(leaf.gates for leaf in leaves)
    if not present:
        return {}
    said = verdicts_in(output, present)
    known = _from_status(node, leaves, said, succeeded=succeeded)
    if known is None:
        return dict.fromkeys(_union(leaf.gates for leaf in leaves if leaf.missing), False) | said
    # One status speaks for all the gates of a command such as `pytest --cov`: what the tool says of each is finer.
    several = _union(leaf.gates for leaf in leaves if len(leaf.gates) > 1)
    known |= {gate: verdict for gate, verdict in said.items() if gate in several or gate is QualityGate.COVERAGE}
    if known.get(QualityGate.COVERAGE) and QualityGate.COVERAGE not in said and not _THRESHOLD.search(command):
        del known[QualityGate.COVERAGE]  # a run without a threshold and without a figure shows nothing
    return known


def _union(sets: Iterable[frozenset[QualityGate]]) -> frozenset[QualityGate]:
    return frozenset[QualityGate]().union(*sets)


@lru_cache(maxsize=2048)  # agents run the same few commands again and again
def _structure(command: str) -> tuple[Node, tuple[tuple[Simple, tuple[str, ...], frozenset[QualityGate]], ...]]:
    """The commands in a command line, and of each simple one its words without wrappers and its gates."""
    node = _unwrap(parse(command))
    return node, tuple((simple, tuple(without_wrappers(simple.words)), gates_of(simple.words)) for simple in simple_commands(node))


def _leaf(simple: Simple, words: tuple[str, ...], gates: frozenset[QualityGate], output: str) -> _Leaf:
    if gates and missing_tool(output, words[0]):
        return _Leaf(simple, frozenset(), (False,))  # it failed without having checked anything
    if gates and missing_module(output, words[0]):
        return _Leaf(simple, gates, (False,), missing=True)
    if words[:1] == ("false",):
        return _Leaf(simple, gates, (False,))
    return _Leaf(simple, gates, (True,) if not words or words[0] in _PREPARING else (True, False))


def _from_status(node: Node, leaves: Sequence[_Leaf], said: Verdicts, *, succeeded: bool | None) -> Verdicts | None:
    """What holds in every way that the commands can have gone; None where these cannot be told."""
    if _has_opaque(node) or sum(len(leaf.possible) > 1 for leaf in leaves) > _MAX_UNKNOWN:
        return None
    ways = _ways(node, leaves, succeeded=succeeded)
    single = _union(leaf.gates for leaf in leaves if len(leaf.gates) == 1)
    agreeing = [way for way in ways if all(way.get(gate) is verdict for gate, verdict in said.items() if gate in single)]
    if not agreeing and succeeded is None:
        return None
    # Where the output speaks against the status (something else printed it), the status alone is believed.
    return {gate: verdict for gate in QualityGate if (verdict := _unanimous(agreeing or ways, gate)) is not None} if ways else None


def _unanimous(ways: Sequence[Mapping[QualityGate, bool]], gate: QualityGate) -> bool | None:
    verdicts = {way.get(gate) for way in ways}
    return verdicts.pop() if len(verdicts) == 1 else None


def _ways(node: Node, leaves: Sequence[_Leaf], *, succeeded: bool | None) -> list[Verdicts]:
    """The gates' results in each way the commands can have gone."""
    ways: list[Verdicts] = []
    without_module = {id(leaf.command) for leaf in leaves if leaf.missing}  # these have run: they said so
    for results in product(*(leaf.possible for leaf in leaves)):
        run = _Run({id(leaf.command): (leaf, result) for leaf, result in zip(leaves, results, strict=True)})
        status = run.of(node)
        if (succeeded is not None and status is not succeeded) or not without_module <= run.reached:
            continue
        if run.verdicts not in ways:
            ways.append(run.verdicts)
    return ways


class _Run:
    """One way that the commands can have gone, by the shell's own rules."""

    def __init__(self, results: Mapping[int, tuple[_Leaf, bool]]) -> None:
        self.verdicts: Verdicts = {}
        self.reached: set[int] = set()
        self._results = results
        self._exit_on_error = False
        self._pipefail = False
        self._stopped = False

    def of(self, node: Node) -> bool:
        """Whether `node` succeeds; notes the gates that ran."""
        match node:
            case Simple(words):
                leaf, result = self._results[id(node)]
                self.reached.add(id(node))
                # The last to run of each gate decides, as the last result in a task does.
                self.verdicts.update(dict.fromkeys(leaf.gates, result))
                self._options(words)
                return result
            case Pipeline(commands, negated):
                results = [self.of(command) for command in commands]
                return (all(results) if self._pipefail else results[-1]) is not negated
            case AndOr(parts):
                return self._and_or(parts)
            case Script(steps):
                return self._script(steps)
            case Opaque():
                return True

    def _and_or(self, parts: Sequence[tuple[str, Node]]) -> bool:
        status = True
        for operator, part in parts:
            if (operator == "&&" and not status) or (operator == "||" and status):
                continue
            status = self.of(part)
        return status

    def _script(self, steps: Sequence[tuple[Node, bool]]) -> bool:
        status = True
        for step, background in steps:
            if self._stopped:
                break
            status = self.of(step) or background
            if not status and self._exit_on_error:
                self._stopped = True
        return status

    def _options(self, words: Sequence[str]) -> None:
        if words[0] != "set":
            return
        for word in words[1:]:
            if word == "pipefail":
                self._pipefail = True
            elif word.startswith("-") and not word.startswith("--") and "e" in word:
                self._exit_on_error = True


def _has_opaque(node: Node) -> bool:
    match node:
        case Opaque():
            return True
        case Pipeline(commands):
            return any(map(_has_opaque, commands))
        case AndOr(parts):
            return any(_has_opaque(part) for _, part in parts)
        case Script(steps):
            return any(_has_opaque(step) for step, _ in steps)
    return False


def _unwrap(node: Node, depth: int = 0) -> Node:
    """The same with each `bash -c "…"` replaced by what it runs."""
    match node:
        case Simple(words):
            inner = without_wrappers(words)
            if depth < 3 and len(inner) > 2 and inner[0].rpartition("/")[2] in _SHELLS and inner[1] in {"-c", "-lc", "-ec", "-lic"}:
                return _unwrap(parse(inner[2]), depth + 1)
            return Simple(words)
        case Pipeline(commands, negated):
            return Pipeline(tuple(_unwrap(command, depth) for command in commands), negated)
        case AndOr(parts):
            return AndOr(tuple((operator, _unwrap(part, depth)) for operator, part in parts))
        case Script(steps):
            return Script(tuple((_unwrap(step, depth), background) for step, background in steps))
    return node
