"""Instances, keys and the audit log in their tables. What writes runs within a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from mosaic_telemetry.engine.store.accounts import Act, ApiKey, FoundKey, NewKey
from mosaic_telemetry.engine.store.columns import INSTANCE, KEY
from mosaic_telemetry.engine.store.values import Instance

__all__ = [
    "add_key",
    "all_instances",
    "change_setting",
    "create_instance",
    "find_instance",
    "find_keys",
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
_FIND = f"SELECT {KEY}, digest, {INSTANCE} FROM api_keys JOIN instances ON instances.number = api_keys.instance WHERE digest = ANY($1)"  # noqa: S608 - as above
_CREATE = "INSERT INTO instances (instance_id, name, created_ms, local) VALUES ($1, $2, $3, $4) ON CONFLICT (local) WHERE local DO NOTHING RETURNING number"
_ADD = "INSERT INTO api_keys (digest, instance, name, hint, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6) RETURNING number"
_WORKS = "instance = $1 AND (expires_ms IS NULL OR expires_ms > $2) AND (revoked_ms IS NULL OR revoked_ms > $2)"


async def find_keys(connection: asyncpg.Connection, digests: Sequence[bytes]) -> dict[bytes, FoundKey]:
    """The keys with these SHA-256, by them."""
    return {row[7]: FoundKey(ApiKey(*row[:7]), row[7], _instance(row[8:])) for row in await connection.fetch(_FIND, digests)}


async def all_instances(connection: asyncpg.Connection) -> list[Instance]:
    """All instances, oldest first."""
    return [_instance(row) for row in await connection.fetch(_INSTANCES + "ORDER BY number")]


async def find_instance(connection: asyncpg.Connection, instance_id: UUID) -> Instance | None:
    """The instance of this id."""
    row = await connection.fetchrow(_INSTANCES + "WHERE instance_id = $1", instance_id)
    return None if row is None else _instance(row)


async def list_keys(connection: asyncpg.Connection, instance: int | None) -> list[ApiKey]:
    """All keys, or those of an instance, oldest first."""
    return [ApiKey(*row) for row in await connection.fetch(_KEYS + "WHERE $1::int4 IS NULL OR instance = $1 ORDER BY number", instance)]


async def create_instance(  # noqa: PLR0913 - one argument a column
    connection: asyncpg.Connection, instance_id: UUID, name: str, now_ms: int, *, key: NewKey | None, act: Act | None, local: bool
) -> Instance:
    """Add an instance; an existing local instance is returned as it is."""
    number = await connection.fetchval(_CREATE, instance_id, name, now_ms, local)
    if number is None:
        return _instance(await connection.fetchrow(_INSTANCES + "WHERE local"))
    if key is not None:
        await add_key(connection, number, key, None)
    await note(connection, act)
    return Instance(number, instance_id, name, now_ms, local=local)


async def add_key(connection: asyncpg.Connection, instance: int, key: NewKey, act: Act | None) -> ApiKey:
    """Add a key to an instance."""
    number = await connection.fetchval(_ADD, key.digest, instance, key.name, key.hint, key.created_ms, key.expires_ms)
    await note(connection, act)
    return ApiKey(number, instance, key.name, key.hint, key.created_ms, key.expires_ms, None)


async def replace_keys(connection: asyncpg.Connection, instance: int, key: NewKey, end_ms: int, act: Act | None) -> ApiKey:
    """Add a key, and let those that work end at `end_ms` at the latest."""
    if end_ms > key.created_ms:
        await connection.execute(
            f"UPDATE api_keys SET expires_ms = $3 WHERE {_WORKS} AND (expires_ms IS NULL OR expires_ms > $3)",  # noqa: S608 - fixed texts
            *(instance, key.created_ms, end_ms),
        )
    else:
        await connection.execute(f"UPDATE api_keys SET revoked_ms = $3 WHERE {_WORKS}", instance, key.created_ms, end_ms)  # noqa: S608 - as above
    return await add_key(connection, instance, key, act)


async def revoke_keys(connection: asyncpg.Connection, instance: int, now_ms: int, number: int | None, act: Act | None) -> int:
    """Revoke keys that work; returns how many."""
    done = await connection.execute(
        f"UPDATE api_keys SET revoked_ms = $2 WHERE {_WORKS} AND ($3::int4 IS NULL OR number = $3)",  # noqa: S608 - fixed texts
        *(instance, now_ms, number),
    )
    await note(connection, act)
    return int(done.rpartition(" ")[2])


async def note(connection: asyncpg.Connection, act: Act | None) -> None:
    """Write into the audit log."""
    if act is not None:
        await connection.execute(
            "INSERT INTO audit (at_ms, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)", act.at_ms, act.actor, act.action, act.subject, act.detail
        )


async def read_acts(connection: asyncpg.Connection, limit: int, before: int | None) -> list[Act]:
    """The last entries of the audit log, newest first."""
    rows = await connection.fetch(
        "SELECT at_ms, actor, action, subject, detail, number FROM audit WHERE $1::int8 IS NULL OR number < $1 ORDER BY number DESC LIMIT $2", before, limit
    )
    return [Act(*row) for row in rows]


async def read_setting(connection: asyncpg.Connection, name: str) -> str | None:
    """The value that is kept under a name."""
    value: str | None = await connection.fetchval("SELECT value FROM settings WHERE name = $1", name)
    return value


async def keep_setting(connection: asyncpg.Connection, name: str, value: str, act: Act | None, *, replace: bool) -> str:
    """Keep a value unless there is one, or in its place; returns the value that stands."""
    instead = "DO UPDATE SET value = excluded.value" if replace else "DO NOTHING"
    done = await connection.execute(f"INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) {instead}", name, value)  # noqa: S608 - fixed texts
    if done.endswith(" 0"):
        return await read_setting(connection, name) or ""
    await note(connection, act)
    return value


async def change_setting(connection: asyncpg.Connection, name: str, before: str, after: str) -> bool:
    """Replace a value if it is still the one that was read."""
    done = await connection.execute("UPDATE settings SET value = $3 WHERE name = $1 AND value = $2", name, before, after)
    return str(done) != "UPDATE 0"


def _instance(row: Sequence[object]) -> Instance:
    number, instance_id, name, created_ms, local = row
    # asyncpg's own kind of UUID is one of the standard library's, but for its type.
    return Instance(number, UUID(int=instance_id.int), name, created_ms, local)  # type: ignore[arg-type, attr-defined]  # the columns' types are fixed
