"""The store on PostgreSQL 14 or later, through asyncpg: a pool of connections on a loop of its own, and group commit."""

from mosaic_telemetry.engine.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
