"""Instances, keys and the audit log in their tables."""

from __future__ import annotations

from uuid import UUID

import apsw

from mosaic_telemetry.engine.store.accounts import Act, ApiKey, FoundKey, NewKey
from mosaic_telemetry.engine.store.columns import INSTANCE, KEY
from mosaic_telemetry.engine.store.values import Instance

__all__ = [
    "add_key",
    "all_instances",
    "change_setting",
    "create_instance",
    "find_instance",
    "find_key",
    "keep_setting",
    "list_keys",
    "note",
    "read_acts",
    "read_setting",
    "replace_keys",
    "revoke_keys",
]

_INSTANCES = f"SELECT {INSTANCE} FROM instances "  # noqa: S608 - fixed texts
_KEYS = f"SELECT {KEY} FROM api_keys "  # noqa: S608 - as above
_FIND = f"SELECT {KEY}, digest, {INSTANCE} FROM api_keys JOIN instances ON instances.number = api_keys.instance WHERE digest = ?"  # noqa: S608 - as above
_ADD = "INSERT INTO api_keys (digest, instance, name, hint, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?) RETURNING number"
_WORKS = "(expires_ms IS NULL OR expires_ms > :now) AND (revoked_ms IS NULL OR revoked_ms > :now)"


def find_key(connection: apsw.Connection, digest: bytes) -> FoundKey | None:
    """The key with this SHA-256."""
    row = connection.execute(_FIND, (digest,)).fetchone()
    return None if row is None else FoundKey(ApiKey(*row[:7]), row[7], _instance(row[8:]))


def all_instances(connection: apsw.Connection) -> list[Instance]:
    """All instances, oldest first."""
    return [_instance(row) for row in connection.execute(_INSTANCES + "ORDER BY number")]


def find_instance(connection: apsw.Connection, instance_id: UUID) -> Instance | None:
    """The instance of this id."""
    row = connection.execute(_INSTANCES + "WHERE instance_id = ?", (instance_id.bytes,)).fetchone()
    return None if row is None else _instance(row)


def list_keys(connection: apsw.Connection, instance: int | None) -> list[ApiKey]:
    """All keys, or those of an instance, oldest first."""
    rows = connection.execute(_KEYS + "WHERE ? IS NULL OR instance = ?1 ORDER BY number", (instance,))
    return [ApiKey(*row) for row in rows]


def create_instance(  # noqa: PLR0913 - one argument a column
    connection: apsw.Connection, instance_id: UUID, name: str, now_ms: int, *, key: NewKey | None, act: Act | None, local: bool
) -> Instance:
    """Add an instance; an existing local instance is returned as it is."""
    if local and (row := connection.execute(_INSTANCES + "WHERE local = 1").fetchone()):
        return _instance(row)
    number: int = connection.execute(
        "INSERT INTO instances (instance_id, name, created_ms, local) VALUES (?, ?, ?, ?) RETURNING number", (instance_id.bytes, name, now_ms, local)
    ).get
    if key is not None:
        add_key(connection, number, key, None)
    note(connection, act)
    return Instance(number, instance_id, name, now_ms, local=local)


def add_key(connection: apsw.Connection, instance: int, key: NewKey, act: Act | None) -> ApiKey:
    """Add a key to an instance."""
    number: int = connection.execute(_ADD, (key.digest, instance, key.name, key.hint, key.created_ms, key.expires_ms)).get
    note(connection, act)
    return ApiKey(number, instance, key.name, key.hint, key.created_ms, key.expires_ms, None)


def replace_keys(connection: apsw.Connection, instance: int, key: NewKey, end_ms: int, act: Act | None) -> ApiKey:
    """Add a key, and let those that work end at `end_ms` at the latest."""
    values = {"instance": instance, "now": key.created_ms, "end": end_ms}
    if end_ms > key.created_ms:
        connection.execute(
            f"UPDATE api_keys SET expires_ms = :end WHERE instance = :instance AND {_WORKS} AND (expires_ms IS NULL OR expires_ms > :end)",  # noqa: S608 - fixed texts
            values,
        )
    else:
        connection.execute(f"UPDATE api_keys SET revoked_ms = :end WHERE instance = :instance AND {_WORKS}", values)  # noqa: S608 - as above
    return add_key(connection, instance, key, act)


def revoke_keys(connection: apsw.Connection, instance: int, now_ms: int, number: int | None, act: Act | None) -> int:
    """Revoke keys that work; returns how many."""
    connection.execute(
        f"UPDATE api_keys SET revoked_ms = :now WHERE instance = :instance AND {_WORKS} AND (:number IS NULL OR number = :number)",  # noqa: S608 - fixed texts
        {"instance": instance, "now": now_ms, "number": number},
    )
    revoked = connection.changes()
    note(connection, act)
    return revoked


def note(connection: apsw.Connection, act: Act | None) -> None:
    """Write into the audit log."""
    if act is not None:
        connection.execute(
            "INSERT INTO audit (at_ms, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)", (act.at_ms, act.actor, act.action, act.subject, act.detail)
        )


def read_acts(connection: apsw.Connection, limit: int, before: int | None) -> list[Act]:
    """The last entries of the audit log, newest first."""
    rows = connection.execute(
        "SELECT at_ms, actor, action, subject, detail, number FROM audit WHERE ?1 IS NULL OR number < ?1 ORDER BY number DESC LIMIT ?2", (before, limit)
    )
    return [Act(*row) for row in rows]


def read_setting(connection: apsw.Connection, name: str) -> str | None:
    """The value that is kept under a name."""
    value: str | None = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).get
    return value


def keep_setting(connection: apsw.Connection, name: str, value: str, act: Act | None, *, replace: bool) -> str:
    """Keep a value unless there is one, or in its place; returns the value that stands."""
    there = read_setting(connection, name)
    if there is not None and not replace:
        return there
    connection.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))
    note(connection, act)
    return value


def change_setting(connection: apsw.Connection, name: str, before: str, after: str) -> bool:
    """Replace a value if it is still the one that was read."""
    connection.execute("UPDATE settings SET value = ? WHERE name = ? AND value = ?", (after, name, before))
    return connection.changes() > 0


def _instance(row: apsw.SQLiteValues) -> Instance:
    number, instance_id, name, created_ms, local = row
    return Instance(number, UUID(bytes=instance_id), name, created_ms, bool(local))  # type: ignore[arg-type]  # the table is STRICT
