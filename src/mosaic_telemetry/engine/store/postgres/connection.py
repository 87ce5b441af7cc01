"""Connections, and PostgreSQL's errors in words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg

from mosaic_telemetry.engine.errors import DatabaseBusyError, DatabaseError

__all__ = ["connect", "in_words", "make_pool", "named", "worded"]

_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 30.0
_PASSING = (
    asyncpg.PostgresConnectionError,  # the server went, or the connection did
    asyncpg.OperatorInterventionError,  # it is shutting down, or starting up
    asyncpg.InsufficientResourcesError,  # a full disk, too many connections
    asyncpg.TransactionRollbackError,  # a deadlock
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg makes of a server that goes at the wrong moment
    OSError,
    asyncio.TimeoutError,
)
# What a commit promises, whatever the server's own default is, times without a surprise, and a plan for the tables as they are: one that was
# kept from when they were small reads them whole for each of thousands of keys.
_SETTINGS = {
    "synchronous_commit": "on",
    "timezone": "UTC",
    "application_name": "mosaic-telemetry",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
}


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg ships no types
    """One that is not reset when it goes back to the pool: nothing here leaves anything behind in a session."""

    def get_reset_query(self) -> str:
        return ""


def named(dsn: str) -> str:
    """A database's name for messages: without user, password and options."""
    parts = urlsplit(dsn)
    return f"postgresql://{parts.netloc.rpartition('@')[2] or 'localhost'}{parts.path}"


async def make_pool(dsn: str, most: int) -> asyncpg.Pool:
    """A pool of connections.

    Args:
        dsn: a URL as libpq takes it.
        most: connections at a time.
    """
    with _address(dsn):
        pool: asyncpg.Pool = await asyncpg.create_pool(
            dsn,
            connection_class=_Connection,
            min_size=0,
            max_size=most,
            timeout=_CONNECT_SECONDS,
            command_timeout=_STATEMENT_SECONDS,
            server_settings=_SETTINGS,
        )
    return pool


async def connect(dsn: str) -> asyncpg.Connection:
    """A connection by itself, whose statements may take their time."""
    with _address(dsn):
        connection: asyncpg.Connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS, server_settings=_SETTINGS)
    return connection


@contextmanager
def _address(dsn: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, asyncpg.ClientConfigurationError) as error:
        raise DatabaseError(f"{named(dsn)} is no address of a PostgreSQL database: {_line(error)}") from error


@contextmanager
def in_words(dsn: str) -> Iterator[None]:
    """Turn an error of PostgreSQL within the block into a `DatabaseError` of one line, which names no password."""
    try:
        yield
    except (asyncpg.PostgresError, *_PASSING) as error:
        raise worded(dsn, error) from error


def worded(dsn: str, error: Exception) -> Exception:
    """An error of PostgreSQL as a `DatabaseError` of one line, which names no password; any other as it is."""
    name, line = named(dsn), _line(error)
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError() | asyncpg.InvalidPasswordError():
            said: Exception = DatabaseError(f"{name} does not let this user in: {line}")
        case asyncpg.InvalidCatalogNameError():
            said = DatabaseError(f"there is no such database at {name}; make it with createdb")
        case asyncpg.InsufficientPrivilegeError():
            said = DatabaseError(f"this user may not do that in {name}: {line}")
        case _ if isinstance(error, _PASSING):
            said = DatabaseBusyError(f"the database {name} cannot be used at the moment: {line}")
        case asyncpg.PostgresError():
            said = DatabaseError(f"the database {name} failed: {line}")
        case _:
            said = error
    return said


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
