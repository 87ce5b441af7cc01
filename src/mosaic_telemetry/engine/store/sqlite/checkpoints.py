"""Taking over into the database what stands in the file `-wal`, beside those who write.

SQLite does so within a commit, for which every writer of every process then waits. Here a thread of its own copies most of it while others go
on writing, and only what came meanwhile while nobody does: SQLite begins its file anew when all of it is taken over and somebody writes.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import apsw

from mosaic_telemetry.engine.store.sqlite.turn import Turn

__all__ = ["Checkpointer"]

_DUE = 4_000  # pages of 4 KiB
_OVERDUE = 40_000
_BUSY_MS = 1_000
_LEAST_PAUSE = 0.05
"""Seconds: where somebody reads for long, the file cannot begin anew, and there is little to take over each time."""


class Checkpointer:
    """Takes over what writers wrote, when it is enough to be worth it. Several processes may have one for the same database.

    Args:
        path: a database in WAL mode.
        writer: a connection, after whose commits it is looked what is due; no commit of it takes over anything by itself any more.
    """

    def __init__(self, path: Path, writer: apsw.Connection) -> None:
        self._path = path
        self._due = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        writer.set_wal_hook(self._committed)

    def close(self) -> None:
        """End what goes on. From then on a commit takes over what is due, as SQLite does it."""
        self._closed.set()
        self._due.set()
        if self._thread:
            self._thread.join()

    def _committed(self, connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages >= (_DUE if self._closed.is_set() else _OVERDUE):
            with contextlib.suppress(apsw.Error):
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        elif pages >= _DUE and not self._closed.is_set():
            self._due.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mosaic-telemetry-checkpoints", daemon=True)
                self._thread.start()
        return apsw.SQLITE_OK

    def _run(self) -> None:
        turn = Turn(self._path)
        with contextlib.suppress(apsw.Error), contextlib.closing(apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.set_busy_timeout(_BUSY_MS)
            connection.pragma("synchronous", "FULL")
            while not self._closed.wait(_LEAST_PAUSE) and self._due.wait() and not self._closed.is_set():
                # Another process may be at it, or the disk may be full: what is not taken over stays due, and safe where it is.
                with contextlib.suppress(apsw.Error):
                    pages, taken_over = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                    if pages == taken_over and pages >= _DUE:  # no reader is in the way, and nobody else was quicker
                        with turn:
                            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                self._due.clear()  # what commits said meanwhile is done; the next one says it again if it is not
        turn.close()
