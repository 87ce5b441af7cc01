"""The seven enums: members and values of the contract, and how they behave as text."""

import json

import pytest

from mosaic_telemetry import Complexity, Harness, Outcome, Provider, QualityGate, RepoSizeCategory, TaskType

VALUES = [
    (
        TaskType,
        "planning implementation code_review testing debugging refactoring documentation configuration security_audit unknown",
    ),
    (Complexity, "low medium high critical"),
    (Harness, "claude_code opencode kilo_code aider api_direct ollama_local custom unknown"),
    (Provider, "anthropic openai openrouter ollama google mistral custom unknown"),
    (QualityGate, "build lint test coverage typecheck security"),
    (Outcome, "success failure partial timeout"),
    (RepoSizeCategory, "tiny small medium large huge"),
]


@pytest.mark.parametrize(("enum", "values"), VALUES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_members_are_those_of_the_contract(enum, values):
    assert [member.value for member in enum] == values.split()
    assert [member.name for member in enum] == values.upper().split()


@pytest.mark.parametrize("member", [member for enum, _ in VALUES for member in enum], ids=repr)
def test_a_member_is_its_text(member):
    assert member == member.value
    assert str(member) == f"{member}" == member.value
    assert hash(member) == hash(member.value)
    assert json.dumps(member) == f'"{member.value}"'
    assert type(member)(member.value) is member
