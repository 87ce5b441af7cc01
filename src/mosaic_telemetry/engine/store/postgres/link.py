"""An event loop in a thread of its own with a pool of connections, for callers that wait and callers that do not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.postgres.connection import in_words, make_pool, named, worded

__all__ = ["Link", "Use"]

T = TypeVar("T")
Use = Callable[[asyncpg.Connection], Awaitable[T]]
"""What is to be done with a connection."""

_CLOSE_SECONDS = 10.0


class Link:
    """Runs coroutines on its loop. Safe to use from several threads.

    Args:
        dsn: a URL as libpq takes it.
        most: connections at a time.

    Raises:
        DatabaseError: the database cannot be reached.
    """

    def __init__(self, dsn: str, most: int) -> None:
        self._dsn = dsn
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._running: set[Future[Any]] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="mosaic-telemetry-postgres", daemon=True)
        self._thread.start()
        try:
            self._pool: asyncpg.Pool = self.start(make_pool(dsn, most)).result()
        except BaseException:
            self._stop()
            raise

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the loop; the future raises `DatabaseError` where PostgreSQL fails."""
        with self._lock:
            if self._closed:
                work.close()
                failed: Future[T] = Future()
                failed.set_exception(DatabaseError(f"the database {named(self._dsn)} is closed"))
                return failed
            future = asyncio.run_coroutine_threadsafe(self._in_words(work), self._loop)
            self._running.add(future)
        future.add_done_callback(self._ended)
        return future

    def use(self, use: Use[T]) -> Future[T]:
        """Do something with a connection."""
        return self.start(self._used(use))

    def write(self, use: Use[T]) -> Future[T]:
        """Do something with a connection, within a transaction; the future resolves when that is durable."""

        async def transact(connection: asyncpg.Connection) -> T:
            async with connection.transaction():
                return await use(connection)

        return self.use(transact)

    def close(self) -> None:
        """Finish what was started, then let go of the connections. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = list(self._running)
        for future in running:
            future.exception()
        asyncio.run_coroutine_threadsafe(self._close_pool(), self._loop).result()
        self._stop()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection, on the loop; one that asyncpg is confused about is never used again."""
        async with self._pool.acquire() as connection:
            try:
                yield connection
            except asyncpg.InternalClientError:
                connection.terminate()
                raise

    def worded(self, error: Exception) -> Exception:
        """An error of PostgreSQL as what `start` raises for it."""
        return worded(self._dsn, error)

    async def _used(self, use: Use[T]) -> T:
        async with self.connection() as connection:
            return await use(connection)

    async def _in_words(self, work: Coroutine[Any, Any, T]) -> T:
        with in_words(self._dsn):
            return await work

    async def _close_pool(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), _CLOSE_SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()

    def _ended(self, future: Future[Any]) -> None:
        with self._lock:
            self._running.discard(future)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _stop(self) -> None:
        with self._lock:
            self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
