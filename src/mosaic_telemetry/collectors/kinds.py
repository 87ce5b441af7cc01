"""What kind of work a task was and how large: a small table of rules over the prompt, the tools and the files.

Tokens are never looked at: they are what is to be predicted from these.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from mosaic_telemetry.collectors.languages import kind_of_file
from mosaic_telemetry.schema import Complexity, TaskType

__all__ = ["Work", "complexity_of", "type_from_prompt", "type_of"]

_LOOKED_AT = 600  # characters: what is wanted stands at the beginning of a prompt

# The rule that matches earliest in the prompt wins; of two at the same place, the one that stands first here.
_RULES: tuple[tuple[TaskType, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE))
    for kind, words in (
        (
            TaskType.SECURITY_AUDIT,
            (
                r"security[- ](?:audit|check|review|scan)",
                r"audit (?:the |our |this )?(?:\w+ )?(?:dependencies|security)",
                r"pentest",
                r"vulnerabilit\w+",
                r"cves?",
            ),
        ),
        (TaskType.CODE_REVIEW, (r"\S*review", r"look over", r"feedback on")),
        (
            TaskType.TESTING,
            (
                r"(?:add|create|extend|implement|improve|re-?run|run|write)(?: \w+){0,4} (?:coverage|specs?|test cases?|test suite|tests?)",
                r"test coverage",
                r"increase coverage",
            ),
        ),
        (
            TaskType.REFACTORING,
            (r"refactor\w*", r"clean ?up", r"simplif\w+", r"restructur\w+", r"reorgani[sz]e", r"dedup\w*", r"rename", r"extract", r"consolidate", r"migrate"),
        ),
        (
            TaskType.DOCUMENTATION,
            (
                r"(?:add|create|extend|generate|improve|make|write)(?: \w+){0,3} (?:changelog|comments?|docs?|docstrings?|documentation|guide|readme)",
                *(r"document(?:ation)?", r"docs?", r"readme", r"changelog", r"docstrings?", r"write[- ]up", r"release notes", r"init"),
            ),
        ),
        (
            TaskType.CONFIGURATION,
            (
                r"(?:add|create|extend|make|write)(?: \w+){0,3} (?:ci|config\w*|docker\w*|github actions?|pipelines?|workflows?)",
                *(r"configur\w+", r"set ?up", r"ci(?:/cd)?", r"github actions?", r"workflow", r"pipeline", r"docker\w*", r"kubernetes", r"terraform"),
                *(r"deploy\w*", r"upgrade", r"bump", r"install", r"lint(?:er|ing)? (?:config\w*|rules?)"),
            ),
        ),
        (
            TaskType.DEBUGGING,
            (
                *(r"debug\w*", r"fix(?:e[sd]|ing)?", r"bugs?", r"broken", r"crash\w*", r"fail(?:s|ed|ing|ure|ures)?", r"errors?", r"traceback"),
                *(r"stack ?trace", r"regression", r"diagnos\w+", r"investigate", r"troubleshoot", r"why (?:are|did|do|does|is)"),
                *(r"doesn'?t work", r"not working", r"wrong"),
            ),
        ),
        (
            TaskType.PLANNING,
            (
                *(r"plan(?:ning)?", r"design", r"architect\w*", r"propos\w+", r"brainstorm", r"roadmap", r"break (?:it |this )?down", r"strategy"),
                *(r"spec out", r"how (?:could|should|would) (?:i|we|you)"),
            ),
        ),
        (
            TaskType.IMPLEMENTATION,
            (
                *(r"implement\w*", r"add", r"build", r"create", r"develop", r"introduce", r"make", r"support", r"write", r"generate", r"port"),
                *(r"feature", r"enable", r"extend", r"integrate", r"wire"),
            ),
        ),
    )
)


@dataclass(slots=True)
class Work:
    """What was seen of a task besides its prompt.

    Attributes:
        edited: files that were changed.
        created: those of them that were not there before.
        read: files that were looked at.
        tool_calls: number of tool calls.
        planned: whether the agent worked in a mode that only plans.
    """

    edited: Collection[str] = field(default_factory=tuple)
    created: Collection[str] = field(default_factory=tuple)
    read: Collection[str] = field(default_factory=tuple)
    tool_calls: int = 0
    planned: bool = False


def type_from_prompt(prompt: str) -> TaskType:
    """The kind of work that a prompt asks for; `unknown` where no rule matches."""
    text = prompt[:_LOOKED_AT]
    matches = [(found.start(), order, kind) for order, (kind, pattern) in enumerate(_RULES) if (found := pattern.search(text))]
    return min(matches)[2] if matches else TaskType.UNKNOWN


def type_of(asked: TaskType, work: Work) -> TaskType:
    """The kind of work a task was: what the prompt asked for; where that is not clear, what the files show; else `unknown`."""
    if work.planned and not work.edited:
        return TaskType.PLANNING
    if asked is not TaskType.UNKNOWN or not work.edited:
        return asked
    kinds = Counter(kind_of_file(path) for path in work.edited)
    for kind, task_type in (("document", TaskType.DOCUMENTATION), ("test", TaskType.TESTING), ("settings", TaskType.CONFIGURATION)):
        if kinds[kind] == len(work.edited):
            return task_type
    if any(kind_of_file(path) == "code" for path in work.created):
        return TaskType.IMPLEMENTATION
    return TaskType.UNKNOWN


# (complexity, files changed from, tool calls from): either is enough; the first line that fits counts.
_SIZES = (
    (Complexity.CRITICAL, 20, 300),
    (Complexity.HIGH, 6, 80),
    (Complexity.MEDIUM, 3, 20),
)


def complexity_of(work: Work) -> Complexity:
    """The size of a task by how many files it changed and how many tool calls that took."""
    for complexity, files, calls in _SIZES:
        if len(work.edited) >= files or work.tool_calls >= calls:
            return complexity
    return Complexity.LOW
