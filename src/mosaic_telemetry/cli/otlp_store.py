"""Facts of unfinished tasks, in a small SQLite file beside the server's database, so that neither a restart nor several workers lose one.

Laws: a fact is stored once, however often it is sent; a task's facts are deleted only after its event is in the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

from mosaic_telemetry.collectors.otlp import Fact
from mosaic_telemetry.engine import Instance

__all__ = ["FactStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (instance INTEGER NOT NULL, harness TEXT NOT NULL, session TEXT NOT NULL, id TEXT NOT NULL,
                                 uuid TEXT NOT NULL, received_ms INTEGER NOT NULL, fact TEXT NOT NULL,
                                 PRIMARY KEY (instance, harness, session, id)) WITHOUT ROWID
"""
_KEY = "instance = ? AND harness = ? AND session = ?"


class FactStore:
    """Safe to use from several threads and processes.

    Args:
        path: its file, made where there is none.

    Raises:
        sqlite3.Error: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connection() as run:
            run.execute("PRAGMA journal_mode = WAL")
            run.execute(_SCHEMA)
        path.chmod(0o600)

    def add(self, instance: Instance, facts: Sequence[Fact], now_ms: int) -> None:
        """Store facts; those that are there already stay as they are. They are durable when this returns."""
        rows = [
            (instance.number, fact.harness, fact.session, fact.id, str(instance.instance_id), now_ms, fact.encode()) for fact in facts
        ]  # the instance is stored with each: whose key sent it decides, now and after a restart
        with self._connection() as run:
            run.executemany("INSERT OR IGNORE INTO fact VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def sessions(self) -> list[tuple[Instance, str, str]]:
        """Instance, harness and id of each session with facts."""
        with self._connection() as run:
            found = run.execute("SELECT DISTINCT instance, uuid, harness, session FROM fact").fetchall()
        return [(Instance(number, UUID(uuid), "", 0), harness, session) for number, uuid, harness, session in found]

    def facts(self, instance: Instance, harness: str, session: str) -> dict[str, tuple[Fact, int]]:
        """By id, the facts of a session, each with the time of its receipt in milliseconds since 1970."""
        with self._connection() as run:
            found = run.execute(f"SELECT id, fact, received_ms FROM fact WHERE {_KEY}", (instance.number, harness, session)).fetchall()  # noqa: S608 - a text of our own
        return {row[0]: (Fact.decode(row[1]), row[2]) for row in found}

    def remove(self, instance: Instance, harness: str, session: str, ids: Sequence[str]) -> None:
        """Delete facts that have been dealt with."""
        with self._connection() as run:
            run.executemany(f"DELETE FROM fact WHERE {_KEY} AND id = ?", [(instance.number, harness, session, one) for one in ids])  # noqa: S608 - as above

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10)) as connection, connection:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
