"""Turns at writing, for processes that share a database.

SQLite lets one process write at a time; the others try again after pauses of up to 0.1 s, so that under load one process may
write all the time and another wait for seconds. Here they stand in line instead: each waits for a lock on a file beside the
database, and at most one waits for that lock while the others wait for its place. A lock goes with its process, however that ends.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

try:
    import fcntl
except ImportError:  # Windows: SQLite's own way has to do
    fcntl = None  # type: ignore[assignment]

__all__ = ["Turn"]


class Turn:
    """A context in which this process alone writes. Used by one thread.

    Args:
        path: the database.
    """

    def __init__(self, path: Path) -> None:
        self._files: list[int] = []
        if fcntl:
            try:
                for name in ("next", "turn"):
                    self._files.append(os.open(f"{path}-{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            except OSError:  # another user's, or no room for them: SQLite's own way has to do
                self.close()

    def __enter__(self) -> Self:
        if self._files:
            following, writing = self._files
            fcntl.flock(following, fcntl.LOCK_EX)
            fcntl.flock(writing, fcntl.LOCK_EX)
            fcntl.flock(following, fcntl.LOCK_UN)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._files:
            fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the files."""
        while self._files:
            os.close(self._files.pop())
