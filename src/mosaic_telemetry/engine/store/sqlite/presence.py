"""Whether the file that is open still is the one that others find at its path.

An open file lives on when its name goes: what is committed into it then is durable and yet lost for everybody else. The same is true of
the file `-wal` beside it, where commits stand until SQLite takes them over.
"""

from __future__ import annotations

import os
from pathlib import Path

from mosaic_telemetry.engine.errors import DatabaseBusyError

__all__ = ["Presence"]


class Presence:
    """Remembers which files stand at a database's path now.

    Args:
        path: a database that is open.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._wal = f"{path}-wal"
        self._was = _identity(self._path)
        self._wal_was = _identity(self._wal)

    def check(self) -> None:
        """See whether they still are those files; takes 4 µs.

        Raises:
            DatabaseBusyError: one of them was deleted, moved or replaced.
        """
        found = _identity(self._path)
        if found == self._was:
            if _identity(self._wal) != self._wal_was:
                raise DatabaseBusyError(
                    f"the file {self._wal} was deleted while in use; put it back, or stop this program, which saves what it held, and start it again"
                )
            return
        if found is None:
            raise DatabaseBusyError(f"the database {self._path} was deleted or moved away while in use; put it back, or restart to begin a new one")
        raise DatabaseBusyError(f"another file was put in the place of the database {self._path} while in use; restart to use that one")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - with each commit: `Path.stat` takes twice as long
    except OSError:
        return None
    return status.st_dev, status.st_ino
