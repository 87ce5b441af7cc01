"""Temporary folders that several processes share, and that do not stay for ever when these are killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["shared_folder"]

_HELD = "held"


@contextmanager
def shared_folder(prefix: str) -> Iterator[Path]:
    """A new folder for this process and those that it forks, removed when the block ends.

    Those of this user with the same prefix that were left behind by processes which were killed are removed first. That one is in use is known by
    a lock that its processes hold, and not by their numbers: these are given to others, and mean nothing in another container.

    Args:
        prefix: of its name, below the temporary folder (`TMPDIR`).
    """
    _remove_abandoned(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        path = Path(name)
        with (path / f"{_HELD}.new").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            (path / f"{_HELD}.new").rename(path / _HELD)  # only now, so that nobody finds it before it is locked
            yield path


def _remove_abandoned(prefix: str) -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # gone meanwhile, another user's, or in use
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                with (path / _HELD).open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
