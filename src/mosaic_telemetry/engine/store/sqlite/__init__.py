"""The store on SQLite, through apsw: one writer thread with group commit, any number of readers."""

from mosaic_telemetry.engine.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
