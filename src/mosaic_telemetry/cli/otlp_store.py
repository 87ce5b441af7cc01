"""Facts of unfinished tasks, in a small SQLite file beside the server's database, so that neither a restart nor several workers lose one.

Laws: a fact is stored once, however often it is sent; a task's facts are deleted only after its event is in the database. Which agent
started a subagent is kept longer, since a subagent may be given more to do.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from mosaic_telemetry.collectors.otlp import Fact
from mosaic_telemetry.collectors.otlp_tasks import sessions_above
from mosaic_telemetry.engine import Instance

__all__ = ["FactStore", "Family"]

_KEPT_MS = 30 * 86_400_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (instance INTEGER NOT NULL, harness TEXT NOT NULL, session TEXT NOT NULL, id TEXT NOT NULL,
                                 uuid TEXT NOT NULL, received_ms INTEGER NOT NULL, fact TEXT NOT NULL,
                                 PRIMARY KEY (instance, harness, session, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS beneath (instance INTEGER NOT NULL, harness TEXT NOT NULL, session TEXT NOT NULL, above TEXT NOT NULL,
                                    noted_ms INTEGER NOT NULL, PRIMARY KEY (instance, harness, session)) WITHOUT ROWID;
"""
_KEY = "instance = ? AND harness = ? AND session = ?"
_NOTE = """
INSERT INTO beneath VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET above = excluded.above, noted_ms = excluded.noted_ms
WHERE beneath.above = 'unknown' OR excluded.above <> 'unknown'
"""


@dataclass(frozen=True, slots=True)
class Family:
    """A session and those of its subagents, as far as something is known of them.

    Attributes:
        instance: whose key sent it.
        harness: `claude-code`, `codex` or `gemini`.
        sessions: ids of those sessions with facts.
        above: by any subagent's session, that of the agent which started it, or `unknown`.
    """

    instance: Instance
    harness: str
    sessions: Sequence[str]
    above: Mapping[str, str]


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
            run.executescript(_SCHEMA)
        path.chmod(0o600)

    def add(self, instance: Instance, facts: Sequence[Fact], now_ms: int) -> None:
        """Store facts; those that are there already stay as they are. They are durable when this returns."""
        rows = [
            (instance.number, fact.harness, fact.session, fact.id, str(instance.instance_id), now_ms, fact.encode()) for fact in facts
        ]  # the instance is stored with each: whose key sent it decides, now and after a restart
        with self._connection() as run:
            run.executemany("INSERT OR IGNORE INTO fact VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            for harness in {fact.harness for fact in facts}:
                above = sessions_above(fact for fact in facts if fact.harness == harness)
                run.executemany(_NOTE, [(instance.number, harness, session, higher, now_ms) for session, higher in above.items()])
                if above:
                    run.execute("DELETE FROM beneath WHERE noted_ms < ?", (now_ms - _KEPT_MS,))

    def families(self) -> list[Family]:
        """The sessions with facts, each with those of its subagents."""
        with self._connection() as run:
            found = run.execute("SELECT DISTINCT instance, uuid, harness, session FROM fact").fetchall()
            noted = run.execute("SELECT instance, harness, session, above FROM beneath").fetchall() if found else []
        above: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
        for number, harness, session, higher in noted:
            above[number, harness][session] = higher
        grouped: dict[tuple[int, str, str, str], list[str]] = defaultdict(list)
        for number, uuid, harness, session in found:
            grouped[number, uuid, harness, _top(session, above[number, harness])].append(session)
        return [
            Family(Instance(number, UUID(uuid), "", 0), harness, sessions, above[number, harness]) for (number, uuid, harness, _), sessions in grouped.items()
        ]

    def facts(self, family: Family) -> dict[tuple[str, str], tuple[Fact, int]]:
        """By session and id, the facts of a family, each with the time of its receipt in milliseconds since 1970."""
        found: dict[tuple[str, str], tuple[Fact, int]] = {}
        with self._connection() as run:
            for session in family.sessions:
                rows = run.execute(f"SELECT id, fact, received_ms FROM fact WHERE {_KEY}", (family.instance.number, family.harness, session))  # noqa: S608 - a text of our own
                found |= {(session, row[0]): (Fact.decode(row[1]), row[2]) for row in rows}
        return found

    def remove(self, family: Family, keys: Sequence[tuple[str, str]]) -> None:
        """Delete facts that have been dealt with, by session and id."""
        with self._connection() as run:
            run.executemany(f"DELETE FROM fact WHERE {_KEY} AND id = ?", [(family.instance.number, family.harness, *key) for key in keys])  # noqa: S608 - as above

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10)) as connection, connection:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection


def _top(session: str, above: Mapping[str, str]) -> str:
    """The session at whose agent a subagent's line of agents begins; itself for one that is nobody's."""
    seen = {session}
    while (higher := above.get(session, "")) and higher not in seen:
        seen.add(higher)
        session = higher
    return session
