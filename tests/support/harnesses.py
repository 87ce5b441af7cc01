"""Real harnesses at work: a few tasks in one session of a harness, answered by a model API of our own; then what is collected of it.

The tasks tell apart what a collector could mix up: every answer uses other numbers of every class of tokens, the first request fails
and is tried again, tests really fail and pass, and nineteen tool calls make a small task where twenty make a larger one.
"""

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from support.closed_proxy import ClosedProxy
from support.model_api import Call, ModelApi, Reply, Used
from support.model_api_values import Dialect
from support.npm import Pin
from support.server import COMMAND

__all__ = ["Harness", "Job", "Seen", "Way", "jobs_for", "work"]

_WRONG = "def add(a, b):\n    return a - b\n"
_RIGHT = "def add(a, b):\n    return sum((a, b))\n"  # of another size: the compiled file of the same second would be taken for it
_TEST = "import unittest\n\nfrom calc import add\n\n\nclass Adds(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n"
_BROKEN = "import unittest\n\n\nclass Never(unittest.TestCase):\n    def test_never(self):\n        self.fail()\n"


class Way(Enum):
    """Where a prompt is given: in a new session, in the one before, or in a fork of that."""

    NEW = auto()
    RESUMED = auto()
    FORKED = auto()


class Harness(ABC):
    """How one harness is set up, run, and what its model asks it for.

    Args:
        home: its home folder, where nothing of the person who runs the tests is.

    Attributes:
        collector: the name of its collector.
        pin: where it comes from.
        dialect: the format of its model API.
        classes: the classes of tokens that this API tells.
        unsaid: those of them that its log adds to a neighbour instead of naming them.
        event: what every event of it must say.
        forks: whether it can fork a session.
        open_end: whether its log does not say that the last task is done.
        harmless: endpoints that it asks for beside the model, and does without.
        outside: hosts that it asks for, and does without, whatever it is told.
    """

    collector: ClassVar[str]
    pin: ClassVar[Pin]
    dialect: ClassVar[Dialect]
    classes: ClassVar[tuple[str, ...]]
    unsaid: ClassVar[frozenset[str]] = frozenset()
    event: ClassVar[dict[str, str]]
    forks: ClassVar[bool] = True
    open_end: ClassVar[bool] = False
    harmless: ClassVar[frozenset[str]] = frozenset()
    outside: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, home: Path) -> None:
        self.home = home
        self.project = home / "project"

    @property
    @abstractmethod
    def place(self) -> Path:
        """What its collector is given."""

    @abstractmethod
    def settings(self, url: str) -> dict[str, str]:
        """Write its settings below its home; its environment beside PATH, HOME and the proxy."""

    @abstractmethod
    def words(self, prompt: str, way: Way) -> list[str]:
        """The arguments for a prompt."""

    @abstractmethod
    def shell(self, command: str) -> Call:
        """The tool call that runs a command."""

    @abstractmethod
    def write(self, path: Path, text: str) -> tuple[Call, ...]:
        """The tool calls that give a file a new text."""

    def telemetry(self, url: str, key: str) -> dict[str, str]:  # noqa: ARG002 - for those that have telemetry of their own
        """Let it send that, with all that it can tell, to a server that takes it; after `settings`, and likewise."""
        return {}

    def subagent(self, task: str) -> Call | None:  # noqa: ARG002 - for those that have subagents
        """The tool call that gives a task to a subagent; None for a harness that has none."""
        return None

    def joined(self) -> tuple[Call, ...]:
        """The tool calls that wait for the subagent; none where the first call does."""
        return ()

    def report(self, text: str) -> tuple[Call, ...]:  # noqa: ARG002 - for those that need it
        """The tool calls by which a subagent ends; none where it just stops."""
        return ()

    def used(self, number: int) -> Used:
        """What the answer of that number costs: no two answers, and no two classes of tokens, alike."""
        every = {"input": 101, "cache_read": 2003, "cache_write_5m": 307, "cache_write_1h": 509, "output": 43, "reasoning": 17}
        return Used(**{name: base + 1000 * (number if name == "cache_read" else 0) + number for name, base in every.items() if name in self.classes})


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt, the replies of its model, and what its event must say."""

    prompt: str
    replies: Sequence[Reply]
    event: dict[str, Any]
    way: Way = Way.RESUMED


def jobs_for(harness: Harness) -> list[Job]:
    """The tasks, with the files that they are about."""
    project = harness.project
    project.mkdir()
    (project / "calc.py").write_text(_WRONG)
    (project / "test_calc.py").write_text(_TEST)
    (project / "broken.py").write_text(_BROKEN)
    test, broken = harness.shell("python3 -m unittest -q test_calc"), harness.shell("python3 -m unittest -q broken")
    looks = [harness.shell(f"ls -a . # {number}") for number in range(10)]
    numbers = count(1)

    def say(*calls: Call, subagent: bool = False) -> Reply:
        number = next(numbers)
        return Reply(text=f"Answer {number}.", calls=calls, used=harness.used(number), subagent=subagent)

    passed = {"quality_gates_run": ["test"], "quality_gates_failed": [], "outcome": "success"}
    failed = {"quality_gates_run": ["test"], "quality_gates_failed": ["test"], "outcome": "failure"}
    untested = {"quality_gates_run": [], "quality_gates_failed": [], "outcome": "success"}
    fixing = [Reply(status=503), say(test), say(*harness.write(project / "calc.py", _RIGHT)), say(test), say()]
    jobs = [
        Job("Fix the failing test", fixing, {**passed, "complexity": "low", "task_type": "debugging", "language": "python"}, Way.NEW),
        Job("Debug why broken.py fails", [say(*looks), say(*looks[:8], broken), say()], {**failed, "complexity": "low", "task_type": "debugging"}),
        Job("Review the folder", [say(*looks), say(*looks), say()], {**untested, "complexity": "medium"}),
    ]
    if (task := harness.subagent("Count the files")) is not None:
        beneath = [say(task), say(looks[0], subagent=True), say(*harness.report("Three files."), subagent=True)]
        beneath += [say(*harness.joined()), say()] if harness.joined() else [say()]
        jobs.append(Job("Count the files", beneath, {**untested, "complexity": "low"}))
    return [*jobs, Job("Explain what calc.py does", [say()], {**untested, "complexity": "low"}, Way.FORKED if harness.forks else Way.RESUMED)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of a harness at work.

    Attributes:
        told: what it printed for each job.
        after: the events that are collected after each job.
        audit: that of all of them.
    """

    told: list[str]
    after: list[list[dict[str, Any]]]
    audit: dict[str, Any]


def _collect(harness: Harness, option: str) -> list[dict[str, Any]]:
    """Collect as a person does, sending nothing."""
    words = [*COMMAND, "collect", harness.collector, str(harness.place), option, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (done.stdout.splitlines() if option == "--dry-run" else [done.stdout])]


def work(harness: Harness, program: Path, api: ModelApi, jobs: Sequence[Job], receiver: tuple[str, str] | None = None) -> Seen:
    """Let the harness do the jobs, each to its end, and collect.

    Nothing of the person who runs the tests is there for it, and nobody to call home to.

    Args:
        harness: whose jobs.
        program: that harness.
        api: answers its requests.
        jobs: what to do.
        receiver: URL and key of a server that it sends its own telemetry to.
    """
    due = 0
    printed, after = [], []
    with ClosedProxy() as proxy:
        (harness.home / "tmp").mkdir()
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(harness.home),
            "TMPDIR": str(harness.home / "tmp"),
            "NO_COLOR": "1",
            **proxy.environment,
            **harness.settings(api.url),
        }
        if receiver is not None:
            env |= harness.telemetry(*receiver)
        for job in jobs:
            words = [str(program), *harness.words(job.prompt, job.way)]
            done = subprocess.run(words, env=env, cwd=harness.project, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False)
            told = f"\nexit code {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}\nrefused: {api.refused}\nwanted outside: {proxy.wanted}"
            assert done.returncode == 0, told
            due += sum(reply.status == 200 for reply in job.replies)
            assert len(api.said) == due, told
            assert job.replies[-1].text in done.stdout, told
            printed.append(done.stdout)
            after.append(_collect(harness, "--dry-run"))
    assert set(api.refused) <= harness.harmless, api.refused
    assert set(proxy.wanted) <= harness.outside, proxy.wanted
    (audit,) = _collect(harness, "--audit")
    return Seen(printed, after, audit)
