"""How large a repository is and what it is written in, from the files that git tracks. All of it stays on this machine."""

from __future__ import annotations

import os
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mosaic_telemetry.collectors.languages import language_of
from mosaic_telemetry.schema import RepoSizeCategory

__all__ = ["Repositories", "Repository", "category_of"]

_LIMITS = (
    (1_000, RepoSizeCategory.TINY),
    (10_000, RepoSizeCategory.SMALL),
    (100_000, RepoSizeCategory.MEDIUM),
    (1_000_000, RepoSizeCategory.LARGE),
)
_WAIT_S = 10.0
_MOST_FILES = 200_000
_LONGEST = 4 * 1024 * 1024  # bytes of a file: a longer one was made by a program


@dataclass(frozen=True, slots=True)
class Repository:
    """What is known of the repository around a folder; nothing where there is none.

    Attributes:
        size: by lines in the tracked files of programming languages.
        language: that of most of these files.
    """

    size: RepoSizeCategory | None = None
    language: str | None = None


def category_of(lines: int) -> RepoSizeCategory:
    """The category of so many lines of code."""
    return next((category for limit, category in _LIMITS if lines < limit), RepoSizeCategory.HUGE)


class Repositories:
    """Looks at each repository once."""

    def __init__(self) -> None:
        self._by_folder: dict[str, Repository] = {}
        self._by_root: dict[str, Repository] = {}

    def around(self, folder: str) -> Repository:
        """The repository that a folder belongs to. Never raises: where git or the folder is not there, nothing is known."""
        if folder not in self._by_folder:
            root = _git(folder, "rev-parse", "--show-toplevel").removesuffix("\n") if Path(folder).is_absolute() and Path(folder).is_dir() else ""
            if root and root not in self._by_root:
                self._by_root[root] = _look(root)
            self._by_folder[folder] = self._by_root.get(root, Repository())
        return self._by_folder[folder]


def _look(root: str) -> Repository:
    names = [name for name in _git(root, "ls-files", "-z").split("\0")[:_MOST_FILES] if language_of(name)]
    if not names:
        return Repository()
    counts = Counter(map(language_of, names))
    lines = 0
    for count in _lines(root, names):
        lines += count
        if lines >= _LIMITS[-1][0]:
            break
    return Repository(category_of(lines), min(counts, key=lambda language: (-counts[language], language or "")))


def _lines(root: str, names: Sequence[str]) -> Iterator[int]:
    """The lines of each file; links are not followed, since they may lead out of the repository."""
    for name in names:
        path = os.path.join(root, name)  # noqa: PTH118 - hundreds of thousands of them
        try:
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and found.st_size <= _LONGEST:
                with open(path, "rb") as file:  # noqa: PTH123 - as above
                    yield file.read(_LONGEST).count(b"\n")
        except (OSError, ValueError):
            continue


def _git(folder: str, *words: str) -> str:
    """What git says; empty where it fails. A repository's own settings can start programs: that one is switched off."""
    command = ["git", "-C", folder, "-c", "core.fsmonitor=false", *words]
    try:
        env = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        done = subprocess.run(command, capture_output=True, timeout=_WAIT_S, check=False, env=env)  # noqa: S603 - a fixed command
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else ""
