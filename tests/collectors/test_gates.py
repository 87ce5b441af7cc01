"""What commands prove."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_telemetry.collectors.gates import observe
from mosaic_telemetry.collectors.shell import Opaque, parse, simple_commands
from mosaic_telemetry.collectors.tools import gates_of, without_wrappers

PASSED = "..   [100%]\n12 passed in 0.13s\n"
FAILED = "F.   [100%]\nFAILED t.py::t - assert\n1 failed, 11 passed in 0.20s\n"
MISSING = "/usr/bin/python3: No module named ruff\n"


def seen(command, succeeded, output=""):
    return {gate.value: verdict for gate, verdict in observe(command, succeeded=succeeded, output=output).items()}


@pytest.mark.parametrize(
    ("command", "gates"),
    [
        ("pytest -q", "test"),
        ("python3 -m pytest -q", "test"),
        ("python3.12 -W error -m unittest discover", "test"),
        ("pytest --cov=app", "coverage test"),
        ("go test ./... -coverprofile=c.out", "coverage test"),
        ("coverage run -m pytest", "test"),
        ("coverage report", "coverage"),
        ("npx nyc mocha", "coverage test"),
        ("tox", "test"),
        ("npx jest --coverage", "coverage test"),
        ("pnpm exec vitest run", "test"),
        ("npm test", "test"),
        ("npm run test:unit -- --watch=false", "test"),
        ("yarn lint", "lint"),
        ("pnpm run build:prod", "build"),
        ("npm run typeCheck", "typecheck"),
        ("npm run build", "build"),
        ("bun run build", "build"),
        ("bun test", "test"),
        ("npm install", ""),
        ("npm audit", "security"),
        ("ruff check --fix .", "lint"),
        ("ruff format .", ""),
        ("ruff format --check .", "lint"),
        ("black .", ""),
        ("black --check src", "lint"),
        ("prettier --write .", ""),
        ("uv run --with foo mypy src", "typecheck"),
        ("ENV=1 timeout 60 npx tsc --noEmit", "typecheck"),
        ("tsc -p .", "build typecheck"),
        ("python -m compileall -q .", "build"),
        ("python -m pyflakes calc.py", "lint"),
        ("python -m build", "build"),
        ("cargo clippy -- -D warnings", "lint"),
        ("cargo fmt --check", "lint"),
        ("cargo nextest run", "test"),
        ("cargo check", "typecheck"),
        ("go vet ./...", "lint"),
        ("go build ./...", "build"),
        ("go run .", ""),
        ("golangci-lint run", "lint"),
        ("make", "build"),
        ("make test lint", "lint test"),
        ("make -j4 CC=clang", "build"),
        ("./gradlew clean build", "build"),
        ("mvn -q verify", "test"),
        ("dotnet test", "test"),
        ("dotnet build -c Release", "build"),
        ("dotnet format --verify-no-changes", "lint"),
        ("dotnet format", ""),
        ("msbuild app.sln", "build"),
        ("hatch test", "test"),
        ("hatch run pytest", "test"),
        ("hatch fmt", ""),
        ("python manage.py test app", "test"),
        ("python manage.py migrate", ""),
        ("./manage.py test", "test"),
        ("./gradlew check", "test"),
        ("./gradlew :app:check", "test"),
        ("./gradlew detekt ktlintCheck", "lint"),
        ("./gradlew ktlintFormat", ""),
        ("./gradlew spotlessCheck", "lint"),
        ("./gradlew spotlessApply", ""),
        ("mvn checkstyle:check", "lint"),
        ("mvn spotbugs:check", "lint"),
        ("mvn spotless:apply", ""),
        ("mvn dependency-check:check", "security"),
        ("bin/rails test", "test"),
        ("rails server", ""),
        ("bundle exec standardrb", "lint"),
        ("bundle audit check", "security"),
        ("bundle install", ""),
        ("bin/rspec", "test"),
        ("rubocop -a", "lint"),
        ("php artisan test --parallel", "test"),
        ("php artisan migrate", ""),
        ("php -d memory_limit=-1 vendor/bin/phpunit", "test"),
        ("php vendor/bin/phpstan analyse", "typecheck"),
        ("vendor/bin/pint --test", "lint"),
        ("vendor/bin/pint", ""),
        ("vendor/bin/php-cs-fixer fix --dry-run", "lint"),
        ("vendor/bin/php-cs-fixer fix", ""),
        ("php index.php", ""),
        ("prek run --all-files", "lint"),
        ("lefthook run pre-commit", "lint"),
        ("meson test -C build", "test"),
        ("mise run lint", "lint"),
        ("just typecheck", "typecheck"),
        ("pre-commit run --all-files", "lint"),
        ("bandit -r src", "security"),
        ("cmake --build build", "build"),
        ("sudo -u ci .venv/bin/pytest", "test"),
        ("pytest --collect-only", ""),
        ("pytest --version", ""),
        ("git commit -m 'run pytest'", ""),
        ("cat pytest.ini", ""),
        ("python script.py test", ""),
        ("grep -r pytest .", ""),
        ("", ""),
    ],
)
def test_which_gates_a_command_is(command, gates):
    words = [simple.words for simple in simple_commands(parse(command))]
    found = sorted({gate.value for each in words for gate in gates_of(each)})
    assert " ".join(found) == gates


@pytest.mark.parametrize(
    ("command", "succeeded", "output", "verdicts"),
    [
        ("pytest -q", True, "", {"test": True}),
        ("pytest -q", False, "", {"test": False}),
        ("cd app && pytest", False, "", {"test": False}),
        # one of the two linters said yes; the tests may have failed
        ("pytest -q && ruff check . || pyflakes calc.py", True, "", {"lint": True}),
        ("pytest -q && ruff check . || pyflakes calc.py", True, PASSED, {"lint": True, "test": True}),
        ("pytest -q && python3 -m ruff check . || python3 -m pyflakes calc.py", True, PASSED + MISSING, {"lint": True, "test": True}),
        ("pytest -q && ruff check . || pyflakes calc.py", False, "", {"lint": False}),
        # which of the two failed cannot be told, unless the output does
        ("pytest && ruff check .", False, "", {}),
        ("pytest && ruff check .", False, PASSED, {"lint": False, "test": True}),
        ("pytest && ruff check .", False, FAILED, {"test": False}),
        ("pytest && ruff check .", True, "", {"lint": True, "test": True}),
        # the status is that of the last command
        ("pytest; ruff check .", True, "", {"lint": True}),
        ("pytest | tail -3", True, "", {}),
        ("pytest | tail -3", True, FAILED, {"test": False}),
        ("pytest 2>&1 | tail -3", True, PASSED, {"test": True}),
        ("set -o pipefail; pytest | tail -3", True, "", {"test": True}),
        ("set -e; pytest; ruff check .", True, "", {"lint": True, "test": True}),
        ("set -e\npytest\necho done", False, "", {"test": False}),
        ("pytest || true", True, "", {}),
        ("pytest || true", True, FAILED, {"test": False}),
        ("! pytest", True, "", {"test": False}),
        ("pytest & ruff check .", True, "", {"lint": True}),
        ("(cd app && pytest) && (cd web && npm run lint)", True, "", {"lint": True, "test": True}),
        ("bash -c 'cd app && mypy . && pytest'", True, "", {"test": True, "typecheck": True}),
        ("npm install && npm test", False, "", {}),
        ("ruff check . && ruff check other", True, "", {"lint": True}),
        # conditions are not followed: only the output counts
        ("for d in a b; do pytest $d; done", True, "", {}),
        ("for d in a b; do pytest $d; done", True, PASSED, {"test": True}),
        ("if pytest; then echo ok; fi", True, "", {}),
        # a program that the shell did not find (exit status 127) has checked nothing: its gate did not run
        ("ruff check .", False, "zsh: command not found: ruff", {}),
        ("pytest", False, "sh: 1: pytest: not found", {}),
        ("pytest && mypy .", False, PASSED + "bash: mypy: command not found", {"test": True}),
        # Python was there, ran, and failed for want of a module
        ("python3 -m ruff check .", False, MISSING, {"lint": False}),
        ("python3 -m compileall -q . && python3 -m ruff check .", False, MISSING, {"build": True, "lint": False}),
        ("python3 -m ruff check . | tail", True, MISSING, {"lint": False}),
        ("pytest", False, "ModuleNotFoundError: No module named pytest_cov", {"test": False}),
        ("npm run build", False, "npm error 404 Not Found - GET https://example.org", {"build": False}),
        # a status that is not known (timeout, interruption)
        ("pytest", None, "", {}),
        ("pytest", None, FAILED, {"test": False}),
        # coverage: by the command's own threshold, else by the figure, else not at all
        ("pytest --cov=app", True, PASSED, {"test": True}),
        ("pytest --cov=app", True, PASSED + "TOTAL   100   40   60%\n", {"test": True, "coverage": False}),
        ("pytest --cov=app", True, PASSED + "TOTAL   100    4   96%\n", {"test": True, "coverage": True}),
        ("pytest --cov=app --cov-fail-under=50", True, PASSED, {"test": True, "coverage": True}),
        ("pytest --cov=app --cov-fail-under=99", False, PASSED, {"test": True, "coverage": False}),
        ("python3 -m pytest -q --cov=calc", False, "error: unrecognized arguments: --cov=calc", {"test": False, "coverage": False}),
        ("go test ./... | tail", True, "ok  \tx/y\t0.1s\nFAIL\tx/z\t0.2s\n", {"test": False}),
        ("go test ./... | tail", True, "ok  \tx/y\t0.1s\nok  \tx/z\t(cached)\n", {"test": True}),
        ("cargo test | tail", True, "test result: ok. 3 passed; 0 failed\ntest result: FAILED. 1 passed; 1 failed\n", {"test": False}),
        ("npx jest | cat", True, "Tests:       2 passed, 2 total\n", {"test": True}),
        ("npx jest | cat", True, "Tests:       1 failed, 2 passed, 3 total\n", {"test": False}),
        ("mypy . | tail -1", True, "Found 3 errors in 2 files (checked 9 source files)\n", {"typecheck": False}),
        ("ruff check . | tail -1", True, "\x1b[32mAll checks passed!\x1b[0m\n", {"lint": True}),
        ("cat build.log; echo 12 passed in 1.0s", True, PASSED, {}),
    ],
)
def test_what_a_command_proves(command, succeeded, output, verdicts):
    assert seen(command, succeeded, output) == verdicts


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("git commit -m \"$(cat <<'EOF'\nfix (a; b) && 'c\nEOF\n)\" && npm test", [["git", "commit", "-m"], ["npm", "test"]]),
        ("cat <<EOF > f\npytest && (\nEOF\nmypy .", [["cat"], ["mypy", "."]]),
        ("a 2>&1 >/dev/null; b <<< text; c &> out", [["a"], ["b"], ["c"]]),
        ("a \\\n  --b # pytest", [["a", "--b"]]),
        ('a \'b c\' "d $(e "f") g"', [["a", "b c"]]),
    ],
)
def test_a_command_line_is_taken_apart(command, words):
    node = parse(command)
    assert not isinstance(node, Opaque)
    for simple, expected in zip(simple_commands(node), words, strict=True):
        assert list(simple.words[: len(expected)]) == expected


@pytest.mark.parametrize("command", ["echo 'a", "(", "a &&", "f() { pytest; }", "a )", "while true; do x; done", "((((" * 50, "`a"])
def test_what_is_not_understood_proves_nothing(command):
    assert isinstance(parse(command), Opaque)
    assert seen(command, True) == {}


def test_wrappers_are_looked_through():
    assert without_wrappers(["FOO=1", "env", "BAR=2", "nice", "-n", "5", "uv", "run", "--group", "dev", "python", "-m", "pytest", "-x"]) == ["pytest", "-x"]
    assert without_wrappers(["python", "setup.py", "test"]) == ["python", "setup.py", "test"]
    assert without_wrappers(["A=1"]) == []


PIECES = st.sampled_from(
    ["pytest", "ruff check .", "true", "false", "a", "npm test", "&&", "||", ";", "|", "(", ")", "'", '"', "$(", "{", "}", "\n", "!", "&", "<<E"]
)


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=14).map(" ".join), st.sampled_from([True, False, None]), st.text(max_size=40))
def test_no_command_line_raises_and_success_and_failure_never_both_hold(command, succeeded, output):
    verdicts = observe(command, succeeded=succeeded, output=output)
    assert all(isinstance(verdict, bool) for verdict in verdicts.values())


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["pytest", "ruff check .", "mypy ."]), min_size=1, max_size=4, unique=True))
def test_a_chain_that_succeeded_passed_everything(commands):
    verdicts = observe(" && ".join(commands), succeeded=True, output="")
    assert set(verdicts.values()) == {True}
    assert len(verdicts) == len(commands)
