"""The store on ClickHouse, through clickhouse-connect, for more events than one PostgreSQL holds.

What grows without bound is in ClickHouse: the events. All else is in a second database, PostgreSQL or, on one machine, SQLite, by the
store that stands for it: instances, keys, limits, cells, totals. Those are small, are read by key and changed in transactions, which
is what ClickHouse is not made for. The transactions of that database also decide what of ClickHouse is to be seen:

- Workers insert what they receive into `incoming`, in blocks, and acknowledge a block when it is written.
- Whoever asks for the horizon makes a slice first: reads whole blocks of `incoming`, leaves out every event whose id is known
  (`event_ids`), gives the others numbers that nobody else has, writes them into `events`, and then commits the slice, which is one
  compare-and-set in the other database. Until then nobody sees it; after a crash nobody ever does (see `settling`).
- A deletion is noted in the very transaction that changes the cells, and then carried out, by whoever comes to it (see `events`).
"""

from mosaic_telemetry.engine.store.clickhouse.store import ClickhouseStore

__all__ = ["ClickhouseStore"]
