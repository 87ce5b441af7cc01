"""Which quality gates a command is: the tables of well-known tools.

A command counts where it checks something and says so by its exit status. One that only lists, explains, formats or mends is
no gate. Wrappers (`uv run`, `npx`, `python -m`, `timeout 60`, …) are looked through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mosaic_telemetry.schema import QualityGate

__all__ = ["gates_of", "without_wrappers"]

_B, _L, _T, _C, _Y, _S = (
    QualityGate.BUILD,
    QualityGate.LINT,
    QualityGate.TEST,
    QualityGate.COVERAGE,
    QualityGate.TYPECHECK,
    QualityGate.SECURITY,
)

# The tool alone says what it checks.
_TOOLS: dict[str, tuple[QualityGate, ...]] = {
    **dict.fromkeys(("ava", "bats", "behave", "ctest", "gotestsum", "jest", "karma", "mocha", "nosetests", "nox", "paratest", "pest", "phpunit"), (_T,)),
    **dict.fromkeys(("py.test", "pytest", "rspec", "stestr", "tox", "trial", "unittest", "vitest"), (_T,)),
    **dict.fromkeys(("actionlint", "ansible-lint", "checkstyle", "commitlint", "credo", "eslint", "flake8", "golangci-lint", "hadolint"), (_L,)),
    **dict.fromkeys(("htmlhint", "ktlint", "luacheck", "markdownlint", "oxlint", "phpcs", "pre-commit", "pycodestyle", "pydocstyle"), (_L,)),
    **dict.fromkeys(("pyflakes", "pylint", "revive", "rubocop", "shellcheck", "standard", "staticcheck", "stylelint", "swiftlint"), (_L,)),
    **dict.fromkeys(("detekt", "prek", "standardrb"), (_L,)),
    **dict.fromkeys(("tslint", "vulture", "xo", "yamllint", "import-linter", "lint-imports"), (_L,)),
    **dict.fromkeys(("basedpyright", "dialyzer", "flow", "mypy", "phpstan", "psalm", "pyre", "pyright", "pytype", "vue-tsc"), (_Y,)),
    **dict.fromkeys(("bandit", "brakeman", "bundle-audit", "bundler-audit", "gitleaks", "gosec", "govulncheck", "grype", "osv-scanner"), (_S,)),
    **dict.fromkeys(("pip-audit", "safety", "semgrep", "snyk", "trivy", "trufflehog"), (_S,)),
    **dict.fromkeys(
        ("compileall", "esbuild", "g++", "gcc", "javac", "msbuild", "ninja", "parcel", "py_compile", "rollup", "rustc", "webpack", "xcodebuild"), (_B,)
    ),
    **dict.fromkeys(("cargo-tarpaulin",), (_T, _C)),
}

# The tool and its first argument say it. None: without an argument.
_SUBCOMMANDS: dict[str, dict[str | None, tuple[QualityGate, ...]]] = {
    "artisan": {"test": (_T,)},
    "astro": {"build": (_B,), "check": (_Y,)},
    "bazel": {"build": (_B,), "test": (_T,), "coverage": (_T, _C)},
    "biome": {"check": (_L,), "ci": (_L,), "lint": (_L,)},
    "buck2": {"build": (_B,), "test": (_T,)},
    "bun": {"build": (_B,), "test": (_T,)},
    "bundle": {"audit": (_S,)},
    "cargo": {
        "audit": (_S,),
        "b": (_B,),
        "bench": (_B,),
        "build": (_B,),
        "c": (_Y,),
        "check": (_Y,),
        "clippy": (_L,),
        "deny": (_S,),
        "llvm-cov": (_T, _C),
        "nextest": (_T,),
        "t": (_T,),
        "tarpaulin": (_T, _C),
        "test": (_T,),
    },
    "cmake": {"--build": (_B,)},
    "coverage": {"run": (_T,), "report": (_C,)},
    "cypress": {"run": (_T,)},
    "dart": {"analyze": (_L,), "test": (_T,)},
    "deno": {"check": (_Y,), "compile": (_B,), "lint": (_L,), "test": (_T,)},
    "django-admin": {"test": (_T,)},
    "docker": {"build": (_B,), "buildx": (_B,)},
    "dotnet": {"build": (_B,), "publish": (_B,), "test": (_T,)},
    "flutter": {"analyze": (_L,), "build": (_B,), "test": (_T,)},
    "go": {"build": (_B,), "install": (_B,), "test": (_T,), "vet": (_L,)},
    "hatch": {"build": (_B,), "test": (_T,)},
    "lefthook": {"run": (_L,)},
    "manage.py": {"test": (_T,)},
    "meson": {"compile": (_B,), "test": (_T,)},
    "mix": {"compile": (_B,), "credo": (_L,), "dialyzer": (_Y,), "test": (_T,)},
    "next": {"build": (_B,), "lint": (_L,)},
    "ng": {"build": (_B,), "lint": (_L,), "test": (_T,)},
    "nuxt": {"build": (_B,), "typecheck": (_Y,)},
    "playwright": {"test": (_T,)},
    "podman": {"build": (_B,)},
    "poetry": {"build": (_B,), "check": (_L,)},
    "rails": {"test": (_T,), "test:all": (_T,), "test:system": (_T,)},
    "ruff": {"check": (_L,)},
    "sbt": {"compile": (_B,), "test": (_T,)},
    "sorbet": {"tc": (_Y,)},
    "srb": {"tc": (_Y,)},
    "svelte-check": {None: (_Y,)},
    "swift": {"build": (_B,), "test": (_T,)},
    "terraform": {"validate": (_L,)},
    "ty": {"check": (_Y,)},
    "uv": {"build": (_B,)},
    "vite": {"build": (_B,)},
}

# Tools whose arguments are targets that somebody named: the names tell. Tool to what it does without any.
_RUNNERS: dict[str, tuple[QualityGate, ...]] = {
    **dict.fromkeys(("bun", "composer", "inv", "invoke", "just", "mage", "mise", "npm", "pnpm", "poe", "rake", "task", "turbo", "nx", "yarn"), ()),
    **dict.fromkeys(("ant", "gmake", "make"), (_B,)),
    **dict.fromkeys(("gradle", "gradlew", "mvn", "mvnw"), ()),
}
_MANY_TARGETS = frozenset({"ant", "gmake", "gradle", "gradlew", "make", "mise", "mvn", "mvnw"})
_NO_TARGETS = frozenset({"add", "ci", "exec", "i", "init", "install", "link", "publish", "remove", "run-many", "up", "update", "upgrade"})
_TARGETS = (
    (re.compile(r"(?:^|[-:_./])(?:e2e|integration|spec|specs|test|tests|t|unit|verify)(?:$|[-:_./])"), _T),
    (
        re.compile(
            r"(?:^|[-:_./])(?:checkstyle|clippy|detekt|eslint|fmt-check|format-check|ktlint-check|lint|linters|pmd|spotbugs|spotless[-:]check|stylelint|vet)(?:$|[-:_./])"
        ),
        _L,
    ),
    (re.compile(r"(?:^|[-:_./])(?:all|assemble|build|bundle|compile|dist|package)(?:$|[-:_./])"), _B),
    (re.compile(r"(?:^|[-:_./])(?:check-types|mypy|pyright|tsc|type-check|typecheck|types)(?:$|[-:_./])"), _Y),
    (re.compile(r"(?:^|[-:_./])(?:cov|coverage)(?:$|[-:_./])"), _C),
    (re.compile(r"(?:^|[-:_./])(?:audit|bandit|dependency-check|security)(?:$|[-:_./])"), _S),
)

# Only with one of these arguments does a formatter check instead of mend.
_CHECKING = {
    "autopep8": ("--diff", "--exit-code"),
    "black": ("--check",),
    "cargo fmt": ("--check",),
    "deno fmt": ("--check",),
    "dotnet format": ("--verify-no-changes",),
    "hatch fmt": ("--check",),
    "isort": ("--check", "--check-only", "-c"),
    "php-cs-fixer": ("--dry-run", "check"),
    "pint": ("--test",),
    "prettier": ("--check", "-c", "--list-different", "-l"),
    "ruff format": ("--check",),
    "yapf": ("--diff",),
}
_HARMLESS = frozenset({"--co", "--collect-only", "--fixtures", "--help", "--list-tests", "--listTests", "--markers", "--setup-plan"}) | frozenset(
    {"--show-config", "--showConfig", "--version", "-V", "-h", "help", "version"}
)
_COVERAGE_OPTION = re.compile(r"--?(?:cov|coverage|cover|coverprofile)(?:=|-fail-under|$)")
_COVERAGE_WRAPPERS = frozenset({"c8", "nyc"})

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
# Wrapper to its options that take a value of their own, and how many arguments come before the command.
_WRAPPERS: dict[str, tuple[frozenset[str], int]] = {
    **dict.fromkeys(("builtin", "command", "exec", "nohup", "setsid", "stdbuf", "time", "winpty", "xvfb-run"), (frozenset(), 0)),
    **dict.fromkeys(("cross-env", "dotenv", "env", "bunx", "npx", "pipx", "uvx"), (frozenset({"-p", "--package", "--from", "--with", "-u", "-f"}), 0)),
    "nice": (frozenset({"-n"}), 0),
    "sudo": (frozenset({"-u", "-g"}), 0),
    "timeout": (frozenset({"-s", "-k", "--signal", "--kill-after"}), 1),
    "gtimeout": (frozenset({"-s", "-k"}), 1),
}
# Tool to the subcommands after which a command follows.
_RUN = {
    **dict.fromkeys(("hatch", "micromamba", "pdm", "pipenv", "poetry", "rye", "uv"), ("run",)),
    "bundle": ("exec",),
    "conda": ("run",),
    "pipx": ("run",),
    "pnpm": ("exec", "dlx"),
    "yarn": ("dlx", "exec"),
    "npm": ("exec",),
    "bun": ("x",),
}
_RUN_VALUES = frozenset({"-n", "-p", "--env-file", "--extra", "--from", "--group", "--package", "--project", "--python", "--with", "--directory"})


def without_wrappers(words: Sequence[str]) -> list[str]:
    """The command itself: without variables set for it and without the programs that only start it."""
    left = list(words)
    for _ in range(len(words)):
        while left and _ASSIGNMENT.match(left[0]):
            left.pop(0)
        if not left:
            break
        name = _name(left[0])
        if name in _WRAPPERS:
            values, skip = _WRAPPERS[name]
            left = _after_options(left[1:], values)[skip:]
        elif name in _RUN and len(left) > 1 and left[1] in _RUN[name]:
            left = _after_options(left[2:], _RUN_VALUES)
        elif _PYTHON.fullmatch(name):
            rest = _after_options(left[1:], frozenset({"-W", "-X"}), stop="-m")
            if len(rest) < 2 or rest[0] != "-m":
                return rest if rest and _name(rest[0]) == "manage.py" else left
            left = rest[1:]
            if left[0] == "build":  # python -m build; as a command of its own that name may be anything
                return ["uv", "build"]
        elif name == "php" and len(left) > 1 and (left[1] in {"-d", "-c"} or not left[1].startswith("-")):
            left = _after_options(left[1:], frozenset({"-d", "-c"}))
        else:
            break
    return left


def gates_of(words: Sequence[str]) -> frozenset[QualityGate]:
    """The gates that a simple command is; empty for one that checks nothing."""
    command = without_wrappers(words)
    if not command:
        return frozenset()
    name, arguments = _name(command[0]), command[1:]
    if not _HARMLESS.isdisjoint(arguments[: arguments.index("--")] if "--" in arguments else arguments):
        return frozenset()
    if name in _COVERAGE_WRAPPERS:
        return gates_of(_after_options(arguments, frozenset())) | {_C}
    gates = set(_base_gates(name, arguments))
    if _T in gates and any(_COVERAGE_OPTION.match(argument) for argument in arguments):
        gates.add(_C)
    return frozenset(gates)


def _base_gates(name: str, arguments: list[str]) -> tuple[QualityGate, ...]:
    if name in _TOOLS:
        return _TOOLS[name]
    plain = [argument for argument in arguments if not argument.startswith("-")]
    checking = _CHECKING.get(name) or _CHECKING.get(" ".join((name, *plain[:1])))
    if checking is not None:
        return (_L,) if any(argument in checking for argument in arguments) else ()
    if name == "tsc":
        return (_Y,) if {"--noEmit", "--noemit"} & set(arguments) else (_Y, _B)
    if name in _SUBCOMMANDS and (name, *plain[:1]) != ("bun", "run"):
        first = arguments[:1] if name == "cmake" else plain[:1]
        return _SUBCOMMANDS[name].get(first[0] if first else None, ())
    return _runner_gates(name, plain) if name in _RUNNERS else ()


def _runner_gates(name: str, plain: list[str]) -> tuple[QualityGate, ...]:
    targets = [argument for argument in plain if not _ASSIGNMENT.match(argument)]
    if targets[:1] and targets[0] in {"exec", "r", "run", "run-script"}:
        targets = targets[1:]
    if not targets:
        return _RUNNERS[name]
    if targets[0] in _NO_TARGETS:
        return ()
    if name in {"gradle", "gradlew"}:  # where `check` runs the tests, among other things
        targets = ["test" if target.rpartition(":")[2] == "check" else target for target in targets]
    # The others take a script's name first and its arguments after it.
    return _targets(targets if name in _MANY_TARGETS else targets[:1])


def _targets(names: Sequence[str]) -> tuple[QualityGate, ...]:
    spread = [re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower() for name in names]
    return tuple(gate for pattern, gate in _TARGETS if any(pattern.search(name) for name in spread))


def _name(word: str) -> str:
    """A program's name without folder, `.exe`, `.bat` or `.cmd`."""
    name = re.split(r"[/\\]", word)[-1].lower()
    return re.sub(r"\.(?:bat|cmd|exe)$", "", name)


def _after_options(words: Sequence[str], with_value: frozenset[str], stop: str = "") -> list[str]:
    """What follows the leading options; those in `with_value` take the next word along."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != stop:
        if words[at] == "--":
            return list(words[at + 1 :])
        at += 2 if words[at] in with_value else 1
    return list(words[at:])
