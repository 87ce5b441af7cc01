"""What earlier scans have read and reported, kept in a small SQLite file for each place that events go to.

It only ever saves work. Law: a state that is missing, torn, foreign, out of date or cannot be written costs a full scan and
nothing else, since an event has the same id whenever it is collected. No content of a log is in it: paths of files, their size
and time, hashes of ids, and the ids of events.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from mosaic_telemetry._version import __version__

__all__ = ["FileMark", "ScanState", "fingerprint", "link_of", "state_file"]

T = TypeVar("T")

_APPLICATION = 0x4D544C53  # "MTLS": tells our file from another program's
_FORMAT = 1
_WAIT_S = 5.0
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PROBLEMS = (OSError, sqlite3.Error, ValueError, MemoryError)  # damaged text is no UTF-8, and a damaged length may ask for any memory
_SCHEMA = """
CREATE TABLE file (id INTEGER PRIMARY KEY, collector TEXT NOT NULL, path TEXT NOT NULL, fingerprint TEXT NOT NULL,
                   offset INTEGER NOT NULL, due_ms INTEGER, left_out TEXT NOT NULL, UNIQUE (collector, path));
CREATE TABLE link (link INTEGER NOT NULL, file INTEGER NOT NULL, PRIMARY KEY (link, file)) WITHOUT ROWID;
CREATE INDEX link_file ON link (file);
CREATE TABLE reported (event_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMark:
    """How far a file has been dealt with.

    Attributes:
        fingerprint: what `fingerprint` said of it before it was read.
        offset: bytes from its beginning that need not be read again for what is still to be reported; 0 where that is not known.
        due_ms: when to read it again though it has not changed, in milliseconds since 1970; a task that nobody closed counts as
            finished after an hour. None where nothing is awaited.
        left_out: the choice of tasks under which some of its tasks were not reported; empty where all were.
    """

    fingerprint: str
    offset: int = 0
    due_ms: int | None = None
    left_out: str = ""


def fingerprint(paths: Iterable[Path]) -> str:
    """What tells a change of files without reading them: device, inode, size and time of each, of absent ones that they are."""
    found = []
    for path in paths:
        try:
            at = path.stat()
        except OSError:
            found.append("-")
        else:
            found.append(f"{at.st_dev:x}.{at.st_ino:x}.{at.st_size:x}.{at.st_mtime_ns:x}")
    return " ".join(found)


def link_of(text: str) -> int:
    """A number of 64 bits for an id that may stand in several files."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True)


def state_file(env: Mapping[str, str], home: Path, target: str) -> Path:
    """Where the state of scans for one target lies: in the user's state directory (XDG's or the platform's), by a hash of its name.

    Args:
        env: the environment.
        home: the user's home directory.
        target: what tells where the events go, such as a server's URL with the instance's id.
    """
    if env.get("XDG_STATE_HOME"):
        base = Path(env["XDG_STATE_HOME"])
    elif sys.platform == "win32":
        base = Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = home / ".local" / "state"
    return base / "mosaic-telemetry" / "scans" / f"{hashlib.sha256(target.encode('utf-8', 'replace')).hexdigest()[:24]}.db"


class ScanState:
    """The state of scans for one target. Several processes may have it open. Close it, or use it as a context manager.

    Args:
        path: its file, made where there is none (0600, in a directory of 0700).

    Attributes:
        problem: why nothing is remembered, as one line; empty where it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem = ""
        try:
            self._connection = self._opened()
        except _PROBLEMS as error:
            self._forget(error)

    # --- what is known ----------------------------------------------------------------------------------------------

    def marks(self, collector: str) -> dict[str, FileMark]:
        """By path, the marks of all files of a collector."""
        rows = self._safely(
            lambda: self._connection.execute("SELECT path, fingerprint, offset, due_ms, left_out FROM file WHERE collector = ?", (collector,)).fetchall()
        )
        return {row[0]: FileMark(fingerprint=row[1], offset=row[2], due_ms=row[3], left_out=row[4]) for row in rows or ()}

    def mark(self, collector: str, path: Path) -> FileMark | None:
        """The mark of one file; None for one that was not read before."""
        query = "SELECT fingerprint, offset, due_ms, left_out FROM file WHERE collector = ? AND path = ?"
        row = self._safely(lambda: self._connection.execute(query, (collector, str(path))).fetchone())
        return FileMark(fingerprint=row[0], offset=row[1], due_ms=row[2], left_out=row[3]) if row else None

    def linked(self, collector: str, links: Iterable[int]) -> set[str]:
        """The paths of a collector's files in which one of these ids was found: what has to be read together with theirs."""
        wanted = [(link,) for link in set(links)]

        def ask() -> set[str]:
            run = self._connection.execute
            run("CREATE TEMP TABLE IF NOT EXISTS wanted (link INTEGER PRIMARY KEY)")
            run("DELETE FROM wanted")
            self._connection.executemany("INSERT INTO wanted VALUES (?)", wanted)
            # The order of the tables is fixed: a few ids are looked up among very many, never the other way round.
            query = "SELECT DISTINCT path FROM wanted CROSS JOIN link USING (link) CROSS JOIN file ON file.id = link.file WHERE collector = ?"
            found = {row[0] for row in run(query, (collector,))}
            self._connection.commit()
            return found

        return self._safely(ask) or set()

    def reported(self, event_ids: Iterable[str]) -> set[str]:
        """Those of these events that were reported already."""

        def ask() -> set[str]:
            query = "SELECT 1 FROM reported WHERE event_id = ?"
            return {event for event in event_ids if self._connection.execute(query, (event,)).fetchone()}

        return self._safely(ask) or set()

    # --- what is noted ----------------------------------------------------------------------------------------------

    def note(self, collector: str, marks: Mapping[Path, FileMark], links: Mapping[Path, Iterable[int]] | None = None, event_ids: Iterable[str] = ()) -> None:
        """Note, all or nothing, that files were dealt with and events reported.

        Args:
            collector: whose files these are.
            marks: by file, how far it was dealt with.
            links: by file, the ids in it that may stand in other files too; those of a file that is not named here stay.
            event_ids: events that have been delivered, or refused for good.
        """
        found = links or {}

        def write() -> None:
            with self._connection as run:
                run.executemany("INSERT OR IGNORE INTO reported VALUES (?)", [(event,) for event in event_ids])
                for path, mark in marks.items():
                    values = (collector, str(path), mark.fingerprint, mark.offset, mark.due_ms, mark.left_out)
                    query = (
                        "INSERT INTO file (collector, path, fingerprint, offset, due_ms, left_out) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (collector, path)"
                        " DO UPDATE SET fingerprint = excluded.fingerprint, offset = excluded.offset, due_ms = excluded.due_ms, left_out = excluded.left_out"
                        " RETURNING id"
                    )
                    number = run.execute(query, values).fetchone()[0]
                    if path in found:
                        run.execute("DELETE FROM link WHERE file = ?", (number,))
                        run.executemany("INSERT OR IGNORE INTO link VALUES (?, ?)", ((link, number) for link in found[path]))

        self._safely(write)

    def drop(self, collector: str, paths: Iterable[str]) -> None:
        """Forget files that are no longer there; what was reported from them stays known."""

        def write() -> None:
            with self._connection as run:
                for path in paths:
                    run.execute("DELETE FROM link WHERE file = (SELECT id FROM file WHERE collector = ? AND path = ?)", (collector, path))
                    run.execute("DELETE FROM file WHERE collector = ? AND path = ?", (collector, path))

        self._safely(write)

    def forget(self) -> None:
        """Begin anew: nothing was read, nothing was reported."""

        def write() -> None:
            with self._connection as run:
                for table in ("link", "file", "reported"):
                    run.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own

        self._safely(write)

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the file ---------------------------------------------------------------------------------------------------

    def _safely(self, work: Callable[[], T]) -> T | None:
        """Do it; a file that turns out to be damaged is begun anew, one that cannot be used is done without."""
        try:
            return work()
        except _PROBLEMS as error:
            self._connection.close()
            try:
                if not _is_broken(error):
                    raise
                self._connection = self._begun_anew()
            except _PROBLEMS as worse:
                self._forget(worse)
            return None

    def _forget(self, error: Exception) -> None:
        """Go on with nothing known and nothing kept."""
        self.problem = f"{self._path}: {getattr(error, 'strerror', None) or error}"
        self._connection = sqlite3.connect(":memory:")
        self._connection.executescript(_SCHEMA)

    def _opened(self) -> sqlite3.Connection:
        try:
            connection = self._connect()
        except _PROBLEMS as error:
            if not _is_broken(error):
                raise
            return self._begun_anew()
        try:
            ours = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")] == [_APPLICATION, _FORMAT]
            version = connection.execute("SELECT value FROM setting WHERE name = 'version'").fetchone() if ours else None
        except _PROBLEMS as error:
            connection.close()
            if not _is_broken(error):
                raise
            return self._begun_anew()
        if not ours:
            connection.close()
            return self._begun_anew()
        if version != (__version__,):  # another version may find more in the same files
            with connection:
                connection.execute("DELETE FROM link")
                connection.execute("DELETE FROM file")
                connection.execute("INSERT OR REPLACE INTO setting VALUES ('version', ?)", (__version__,))
        return connection

    def _begun_anew(self) -> sqlite3.Connection:
        for end in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                Path(f"{self._path}{end}").unlink()
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self._path, timeout=_WAIT_S)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # what a power failure takes is only scanned again
            if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                _create(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _create(connection: sqlite3.Connection) -> None:
    # Another process may be creating it at the same moment: the lock is taken before looking again.
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        for statement in _SCHEMA.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("INSERT INTO setting VALUES ('version', ?)", (__version__,))
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.commit()


def _is_broken(error: Exception) -> bool:
    """Whether it is the file's content that is wrong, and not a lock or a full disk."""
    if isinstance(error, (ValueError, MemoryError)):
        return True
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _BROKEN or (code == sqlite3.SQLITE_ERROR and "no such" in str(error))
