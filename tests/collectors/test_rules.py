"""The small tables: kind and size of work, languages, outcomes."""

import pytest

from mosaic_telemetry.collectors.kinds import Work, complexity_of, type_from_prompt, type_of
from mosaic_telemetry.collectors.languages import kind_of_file, main_language, names_in
from mosaic_telemetry.collectors.outcomes import Ending, outcome_of
from mosaic_telemetry.schema import Complexity, Outcome, QualityGate, TaskType


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("Fix the failing test in calc.py", "debugging"),
        ("Debug why test_calc fails but do not change add itself", "debugging"),
        ("Implement the fix in calc.py, then run all quality gates and commit", "implementation"),
        ("Add a login page", "implementation"),
        ("write unit tests for the parser", "testing"),
        ("Run the test suite", "testing"),
        ("Refactor the queue into two classes", "refactoring"),
        ("please review PR 17 and fix what you find", "code_review"),
        ("github-pr-review", "code_review"),
        ("Update the README", "documentation"),
        ("init", "documentation"),
        ("set up CI for this repository", "configuration"),
        ("Do a security audit of the upload code", "security_audit"),
        ("Let's plan the migration to postgres", "planning"),
        ("yes please", "unknown"),
        ("", "unknown"),
        ("x" * 700 + " fix the bug", "unknown"),
    ],
)
def test_kind_of_work_by_the_prompt(prompt, kind):
    assert type_from_prompt(prompt) == kind


@pytest.mark.parametrize(
    ("asked", "work", "kind"),
    [
        ("unknown", Work(edited=["docs/a.md", "README.md"]), "documentation"),
        ("unknown", Work(edited=["tests/test_a.py"]), "testing"),
        ("unknown", Work(edited=["pyproject.toml", ".github/workflows/ci.yml"]), "configuration"),
        ("unknown", Work(edited=["a.py", "b.py"], created=["b.py"]), "implementation"),
        ("unknown", Work(edited=["a.py"]), "unknown"),
        ("unknown", Work(read=["a.py"]), "unknown"),
        ("implementation", Work(planned=True), "planning"),
        ("implementation", Work(planned=True, edited=["a.py"]), "implementation"),
        ("debugging", Work(edited=["README.md"]), "debugging"),
    ],
)
def test_kind_of_work_by_the_files(asked, work, kind):
    assert type_of(TaskType(asked), work) == kind


@pytest.mark.parametrize(
    ("files", "calls", "size"),
    [(0, 0, "low"), (2, 19, "low"), (3, 0, "medium"), (0, 20, "medium"), (6, 0, "high"), (1, 80, "high"), (20, 0, "critical"), (0, 300, "critical")],
)
def test_size_by_files_and_tool_calls(files, calls, size):
    assert complexity_of(Work(edited=[f"{n}.py" for n in range(files)], tool_calls=calls)) is Complexity(size)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("src/a.py", "code"),
        ("src/test_a.py", "test"),
        ("pkg/a_test.go", "test"),
        ("web/a.test.tsx", "test"),
        ("tests/data.json", "settings"),
        ("docs/index.md", "document"),
        ("Dockerfile", "settings"),
        ("C:\\work\\tests\\A.cs", "test"),
        ("LICENSE", "other"),
    ],
)
def test_kind_of_file(path, kind):
    assert kind_of_file(path) == kind


def test_main_language_is_that_of_most_files_changed():
    assert main_language(["a.ts", "b.tsx", "c.py", "README.md"], ["d.go"]) == "typescript"
    assert main_language([], ["README.md"], ["x.go"]) == "go"
    assert main_language(["a.go", "a.c"]) == "c"
    assert main_language([]) is None


def test_files_of_code_are_found_in_a_command():
    assert names_in("sed -i 's/a - b/a + b/' calc.py && cat README.md") == ["calc.py"]


@pytest.mark.parametrize(
    ("ending", "gates", "outcome"),
    [
        (Ending.WORD, {}, "success"),
        (Ending.WORD, {"test": True, "lint": True}, "success"),
        (Ending.WORD, {"test": True, "lint": False}, "partial"),
        (Ending.WORD, {"test": False}, "failure"),
        (Ending.STOPPED, {}, "partial"),
        (Ending.STOPPED, {"test": True}, "partial"),
        (Ending.STOPPED, {"test": False}, "failure"),
        (Ending.ERROR, {"test": True}, "failure"),
        (Ending.BUDGET, {"test": True}, "timeout"),
    ],
)
def test_outcome(ending, gates, outcome):
    assert outcome_of(ending, {QualityGate(gate): passed for gate, passed in gates.items()}) is Outcome(outcome)
