"""The seven enums of the contract (section 2): each member's value is its text on the wire.

Every enum is a `StrEnum`: `TaskType.CODE_REVIEW == "code_review"`, and a member is written to JSON as that text.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "Complexity",
    "Harness",
    "Outcome",
    "Provider",
    "QualityGate",
    "RepoSizeCategory",
    "TaskType",
]


class TaskType(StrEnum):
    """Kind of work that a task was."""

    PLANNING = "planning"
    IMPLEMENTATION = "implementation"
    CODE_REVIEW = "code_review"
    TESTING = "testing"
    DEBUGGING = "debugging"
    REFACTORING = "refactoring"
    DOCUMENTATION = "documentation"
    CONFIGURATION = "configuration"
    SECURITY_AUDIT = "security_audit"
    UNKNOWN = "unknown"


class Complexity(StrEnum):
    """Size of a task; the typical upper token counts are 50,000, 150,000, 350,000 and 750,000."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Harness(StrEnum):
    """The tool that ran a task."""

    CLAUDE_CODE = "claude_code"
    OPENCODE = "opencode"
    KILO_CODE = "kilo_code"
    AIDER = "aider"
    API_DIRECT = "api_direct"
    OLLAMA_LOCAL = "ollama_local"
    CUSTOM = "custom"
    UNKNOWN = "unknown"


class Provider(StrEnum):
    """Who served the model, which is not always the harness's vendor."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    OPENROUTER = "openrouter"
    OLLAMA = "ollama"
    GOOGLE = "google"
    MISTRAL = "mistral"
    CUSTOM = "custom"
    UNKNOWN = "unknown"


class QualityGate(StrEnum):
    """A check that a task's result had to pass."""

    BUILD = "build"
    LINT = "lint"
    TEST = "test"
    COVERAGE = "coverage"
    TYPECHECK = "typecheck"
    SECURITY = "security"


class Outcome(StrEnum):
    """How a task ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    PARTIAL = "partial"
    TIMEOUT = "timeout"


class RepoSizeCategory(StrEnum):
    """Size of a repository by lines of code: below 1,000, 10,000, 100,000, 1,000,000, and above."""

    TINY = "tiny"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    HUGE = "huge"
