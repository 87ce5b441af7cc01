"""What tools say of themselves at the end of their output. Where an exit status proves nothing, this is the evidence left."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mosaic_telemetry.schema import QualityGate

__all__ = ["COVERAGE_THRESHOLD", "missing_module", "missing_tool", "verdicts_in"]

COVERAGE_THRESHOLD = 85.0
"""Per cent from which coverage counts as sufficient by convention (the contract, section 2), unless a command sets its own."""

_TAIL = 40_000  # characters: summaries stand at the end
_FLAGS = re.MULTILINE
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

# (gate, pattern, verdict): a failing line outweighs a passing one.
_LINES: tuple[tuple[QualityGate, re.Pattern[str], bool], ...] = (
    # pytest: "3 failed, 12 passed in 0.5s", with or without a frame of equal signs
    (QualityGate.TEST, re.compile(r"^=*\s*(?:\d+ \w+, )*\d+ (?:failed|errors?)\b.*\bin [\d.]+s", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^=*\s*(?:\d+ (?:skipped|deselected|warnings?|x\w+), )*\d+ passed\b.*\bin [\d.]+s", _FLAGS), True),
    # unittest
    (QualityGate.TEST, re.compile(r"^FAILED \((?:failures|errors)=", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^Ran [1-9]\d* tests? in [\d.]+s\s+OK\b", _FLAGS), True),
    # go test
    (QualityGate.TEST, re.compile(r"^(?:FAIL(?:\s|$)|\s*--- FAIL:)", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^(?:ok  ?\s*\S+\s+(?:[\d.]+s|\(cached\))|PASS$)", _FLAGS), True),
    # cargo test
    (QualityGate.TEST, re.compile(r"^test result: FAILED", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^test result: ok\. [1-9]", _FLAGS), True),
    # jest, vitest
    (QualityGate.TEST, re.compile(r"^\s*Tests:?\s+[1-9]\d* failed", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^\s*Tests:?\s+(?:\d+ (?:skipped|todo)[,|]? ?\|? ?)*[1-9]\d* passed", _FLAGS), True),
    # mocha
    (QualityGate.TEST, re.compile(r"^\s*[1-9]\d* failing\b", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^\s*[1-9]\d* passing \(", _FLAGS), True),
    # rspec, phpunit, Maven, .NET
    (QualityGate.TEST, re.compile(r"^\d+ examples?, [1-9]\d* failures?", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^[1-9]\d* examples?, 0 failures", _FLAGS), True),
    (QualityGate.TEST, re.compile(r"^(?:FAILURES!|ERRORS!)$", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^OK \([1-9]\d* tests?,", _FLAGS), True),
    (QualityGate.TEST, re.compile(r"Tests run: \d+, (?:Failures: [1-9]|Failures: 0, Errors: [1-9])"), False),
    (QualityGate.TEST, re.compile(r"Tests run: [1-9]\d*, Failures: 0, Errors: 0"), True),
    (QualityGate.TEST, re.compile(r"^Failed!\s+- Failed:", _FLAGS), False),
    (QualityGate.TEST, re.compile(r"^Passed!\s+- Failed:\s+0", _FLAGS), True),
    # ruff, golangci-lint, eslint, pylint
    (QualityGate.LINT, re.compile(r"^Found [1-9]\d* errors?(?:\.| \()", _FLAGS), False),
    (QualityGate.LINT, re.compile(r"^[1-9]\d* issues:", _FLAGS), False),
    (QualityGate.LINT, re.compile(r"^0 issues\.", _FLAGS), True),
    (QualityGate.LINT, re.compile(r"^✖ \d+ problems? \([1-9]", _FLAGS), False),
    # mypy, pyright, tsc, ty
    (QualityGate.TYPECHECK, re.compile(r"^Found [1-9]\d* errors? in \d+ file", _FLAGS), False),
    (QualityGate.TYPECHECK, re.compile(r"^Success: no issues found", _FLAGS), True),
    (QualityGate.TYPECHECK, re.compile(r"^[1-9]\d* errors?, \d+ warnings?", _FLAGS), False),
    (QualityGate.TYPECHECK, re.compile(r"^0 errors, \d+ warnings?", _FLAGS), True),
    (QualityGate.TYPECHECK, re.compile(r"\berror TS\d+:"), False),
    (QualityGate.TYPECHECK, re.compile(r"^Found [1-9]\d* diagnostics?$", _FLAGS), False),
    # Gradle, Maven, cargo
    (QualityGate.BUILD, re.compile(r"^(?:\[\w+\] )?BUILD (?:FAILED|FAILURE)", _FLAGS), False),
    (QualityGate.BUILD, re.compile(r"^(?:\[\w+\] )?BUILD SUCCESS", _FLAGS), True),
    (QualityGate.BUILD, re.compile(r"^error: could not compile", _FLAGS), False),
)
_ALL_PASSED = re.compile(r"^All checks passed!", _FLAGS)  # said by ruff and by ty
_TOTAL = re.compile(r"^(?:TOTAL\b.*?|total:\s+\(statements\)\s+|All files\s*\|\s*)(\d{1,3}(?:\.\d+)?)\s*(?:%|\|)", _FLAGS)
_COVERED = re.compile(r"^Required test coverage of [\d.]+% (reached|not reached)|^FAIL Required test coverage", _FLAGS)


def verdicts_in(output: str, gates: Iterable[QualityGate]) -> dict[QualityGate, bool]:
    """What `output` says of these gates: True for passed, False for failed; a gate that it says nothing of is left out."""
    text = _ANSI.sub("", output[-_TAIL:])
    wanted = set(gates)
    verdicts: dict[QualityGate, bool] = {}
    for gate, pattern, passed in _LINES:
        if gate in wanted and verdicts.get(gate) is not False and pattern.search(text):
            verdicts[gate] = passed
    either = wanted & {QualityGate.LINT, QualityGate.TYPECHECK}
    if len(either) == 1 and _ALL_PASSED.search(text):
        verdicts.setdefault(either.pop(), True)
    if QualityGate.COVERAGE in wanted:
        covered = _coverage(text)
        if covered is not None:
            verdicts[QualityGate.COVERAGE] = covered
    return verdicts


def _coverage(text: str) -> bool | None:
    if said := _COVERED.search(text):
        return said.group(1) == "reached"
    totals = [float(total) for total in _TOTAL.findall(text)]
    return totals[-1] >= COVERAGE_THRESHOLD if totals else None


def missing_tool(output: str, name: str) -> bool:
    """Whether `output` says that the shell did not find the program `name` (exit status 127), so that nothing was run.

    A program that did run and then missed something, as Python does without a module, is no such case: it failed.
    """
    tool = re.escape(name)
    return _says(output, name, rf"(?:\b{tool}: (?:command )?not found\b|(?:command not found|Unknown command): {tool}\b|['\"]{tool}['\"] is not recognized)")


def missing_module(output: str, name: str) -> bool:
    """Whether `output` says that Python itself ran, and failed since it has no module `name`."""
    return _says(output, name, rf"[Pp]ython[\d.]*(?:\.exe)?: No module named '?{re.escape(name)}\b")


def _says(output: str, name: str, pattern: str) -> bool:
    tail = output[-_TAIL:]
    return name in tail and re.search(pattern, tail) is not None
