"""Instances and keys in their tables."""

from __future__ import annotations

from uuid import UUID

import apsw

from mosaic_telemetry.engine.errors import UnknownInstanceError
from mosaic_telemetry.engine.store.values import Instance

__all__ = ["all_instances", "create_instance", "instance_by_key", "replace_keys"]

_SELECT = """
SELECT number, instance_id, name, created_ms,
       (SELECT count(*) FROM api_keys WHERE instance = instances.number AND revoked_ms IS NULL), local
FROM instances
"""
_BY_KEY = _SELECT + "WHERE instances.number = (SELECT instance FROM api_keys WHERE digest = ? AND revoked_ms IS NULL)"  # noqa: S608 - fixed texts


def instance_by_key(connection: apsw.Connection, digest: bytes) -> Instance | None:
    """Whose key has this SHA-256, if it works."""
    row = connection.execute(_BY_KEY, (digest,)).fetchone()
    return None if row is None else _instance(row)


def all_instances(connection: apsw.Connection) -> list[Instance]:
    """All instances, oldest first."""
    return [_instance(row) for row in connection.execute(_SELECT + "ORDER BY number")]


def create_instance(  # noqa: PLR0913 - one argument a column
    connection: apsw.Connection, instance_id: UUID, name: str, digest: bytes | None, now_ms: int, *, local: bool
) -> Instance:
    """Add an instance and, unless `digest` is None, a key; an existing local instance is returned as it is."""
    if local and (row := connection.execute(_SELECT + "WHERE local = 1").fetchone()):
        return _instance(row)
    number: int = connection.execute(
        "INSERT INTO instances (instance_id, name, created_ms, local) VALUES (?, ?, ?, ?) RETURNING number", (instance_id.bytes, name, now_ms, local)
    ).get
    if digest is not None:
        _add_key(connection, number, digest, now_ms)
    return Instance(number, instance_id, name, now_ms, keys=0 if digest is None else 1, local=local)


def replace_keys(connection: apsw.Connection, instance_id: UUID, digest: bytes | None, now_ms: int) -> int:
    """Revoke the instance's keys and, unless `digest` is None, add a new one; returns how many were revoked."""
    number = connection.execute("SELECT number FROM instances WHERE instance_id = ?", (instance_id.bytes,)).get
    if number is None:
        raise UnknownInstanceError(f"there is no instance {instance_id}; `mosaic-telemetry admin list` shows those there are")
    connection.execute("UPDATE api_keys SET revoked_ms = ? WHERE instance = ? AND revoked_ms IS NULL", (now_ms, number))
    revoked = connection.changes()
    if digest is not None:
        _add_key(connection, number, digest, now_ms)
    return revoked


def _add_key(connection: apsw.Connection, instance: int, digest: bytes, now_ms: int) -> None:
    connection.execute("INSERT INTO api_keys (digest, instance, created_ms) VALUES (?, ?, ?)", (digest, instance, now_ms))


def _instance(row: apsw.SQLiteValues) -> Instance:
    number, instance_id, name, created_ms, keys, local = row
    return Instance(number, UUID(bytes=instance_id), name, created_ms, keys, bool(local))  # type: ignore[arg-type]  # the table is STRICT
